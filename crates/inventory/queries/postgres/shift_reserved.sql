-- Promises more units or takes promises back; the table's constraints refuse what cannot be.
WITH locked AS MATERIALIZED (
    SELECT sku FROM stock WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE
)
UPDATE stock
SET reserved = stock.reserved + change.delta, version = stock.version + 1
FROM unnest($1::text[], $2::bigint[]) AS change (sku, delta)
JOIN locked ON locked.sku = change.sku
WHERE stock.sku = change.sku
