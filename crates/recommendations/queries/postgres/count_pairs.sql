INSERT INTO pair_count AS counted (sku, other, orders)
SELECT new.sku, new.other, new.orders
FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS new (sku, other, orders, place)
ORDER BY new.place
ON CONFLICT (sku, other) DO UPDATE SET orders = counted.orders + excluded.orders
