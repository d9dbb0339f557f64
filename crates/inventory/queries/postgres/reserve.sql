-- Promises the units of a whole batch, SKU by SKU, where enough are free. The rows are locked in
-- SKU order first, as everywhere, so that two batches can never wait for each other in a circle.
WITH locked AS MATERIALIZED (
    SELECT sku FROM stock WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE
)
UPDATE stock
SET reserved = stock.reserved + wanted.units, version = stock.version + 1
FROM unnest($1::text[], $2::bigint[]) AS wanted (sku, units)
JOIN locked ON locked.sku = wanted.sku
WHERE stock.sku = wanted.sku AND stock.on_hand - stock.reserved >= wanted.units
RETURNING stock.sku
