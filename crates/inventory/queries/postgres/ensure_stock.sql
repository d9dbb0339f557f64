INSERT INTO stock (sku, on_hand)
SELECT sku, 0 FROM unnest($1::text[]) AS new (sku) ORDER BY sku
ON CONFLICT (sku) DO NOTHING
