INSERT INTO stock (sku, on_hand)
SELECT new.value ->> 0, 0 FROM json_each($1) AS new WHERE true
ON CONFLICT (sku) DO NOTHING
