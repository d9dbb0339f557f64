-- Promises the units of a whole batch, SKU by SKU, where enough are free.
UPDATE stock
SET reserved = stock.reserved + wanted.units, version = stock.version + 1
FROM (SELECT value ->> 0 AS sku, value ->> 1 AS units FROM json_each($1)) AS wanted
WHERE stock.sku = wanted.sku AND stock.on_hand - stock.reserved >= wanted.units
RETURNING sku
