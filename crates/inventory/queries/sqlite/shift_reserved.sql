-- Promises more units or takes promises back; the table's constraints refuse what cannot be.
UPDATE stock
SET reserved = stock.reserved + change.delta, version = stock.version + 1
FROM (SELECT value ->> 0 AS sku, value ->> 1 AS delta FROM json_each($1)) AS change
WHERE stock.sku = change.sku
