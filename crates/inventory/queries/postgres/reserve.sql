-- Promises the units of a whole batch, SKU by SKU, where enough are free. All rows are locked
-- first, in SKU order as everywhere, so that two batches can never wait for each other in a
-- circle; the count makes that happen before the first row is changed. (A join with the locked
-- rows would do so too, but compares every SKU with every other.)
WITH locked AS MATERIALIZED (
    SELECT sku FROM stock WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE
)
UPDATE stock
SET reserved = stock.reserved + wanted.units, version = stock.version + 1
FROM unnest($1::text[], $2::bigint[]) AS wanted (sku, units)
WHERE (SELECT count(*) FROM locked) >= 0
  AND stock.sku = wanted.sku AND stock.on_hand - stock.reserved >= wanted.units
RETURNING stock.sku
