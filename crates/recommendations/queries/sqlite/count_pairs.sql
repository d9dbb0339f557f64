INSERT INTO pair_count AS counted (sku, other, orders)
SELECT new.value ->> 0, new.value ->> 1, new.value ->> 2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (sku, other) DO UPDATE SET orders = counted.orders + excluded.orders
