-- How many units lie at other locations now.
INSERT INTO stock_at (sku, location, on_hand)
SELECT new.value ->> 0, new.value ->> 1, new.value ->> 2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand
