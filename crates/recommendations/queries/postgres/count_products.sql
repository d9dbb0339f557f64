INSERT INTO product_count AS counted (sku, orders)
SELECT new.sku, new.orders
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS new (sku, orders, place)
ORDER BY new.place
ON CONFLICT (sku) DO UPDATE SET orders = counted.orders + excluded.orders
