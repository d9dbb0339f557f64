INSERT INTO basket_item (sku, basket_id)
SELECT new.sku, new.basket_id
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS new (sku, basket_id, place)
ORDER BY new.place
ON CONFLICT (sku, basket_id) DO NOTHING
