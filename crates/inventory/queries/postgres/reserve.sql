-- Promises the units of a whole batch, SKU by SKU, where enough are free. The batch names its SKUs in
-- order, and the rows are taken in that order (see the plans of writers in crates/store), so that two
-- batches can never wait for each other in a circle.
UPDATE stock
SET reserved = stock.reserved + wanted.units, version = stock.version + 1
FROM unnest($1::text[], $2::bigint[]) AS wanted (sku, units)
WHERE stock.sku = wanted.sku AND stock.on_hand - stock.reserved >= wanted.units
RETURNING stock.sku
