UPDATE stock
SET on_hand = stock.on_hand + change.delta, version = stock.version + change.steps
FROM (SELECT value ->> 0 AS sku, value ->> 1 AS delta, value ->> 2 AS steps FROM json_each($1))
     AS change
WHERE stock.sku = change.sku
