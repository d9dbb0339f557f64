-- Promises more units or takes promises back; the table's constraints refuse what cannot be.
-- Locks in SKU order first, as in reserve.sql.
WITH locked AS MATERIALIZED (
    SELECT sku FROM stock WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE
)
UPDATE stock
SET reserved = stock.reserved + change.delta, version = stock.version + 1
FROM unnest($1::text[], $2::bigint[]) AS change (sku, delta)
WHERE (SELECT count(*) FROM locked) >= 0 AND stock.sku = change.sku
