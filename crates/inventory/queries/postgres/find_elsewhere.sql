-- What lies at other locations than the main one. Whoever changes it holds the lock of the SKU's
-- row in stock: read it after that lock was taken, and nobody changes it.
SELECT there.sku, there.location, place.rank, there.on_hand
FROM stock_at AS there
JOIN stock_location AS place ON place.name = there.location
WHERE there.sku = ANY ($1::text[])
