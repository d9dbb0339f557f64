INSERT INTO basket_item (sku, basket_id)
SELECT new.value ->> 0, new.value ->> 1
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (sku, basket_id) DO NOTHING
