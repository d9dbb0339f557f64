-- Per SKU: the level, what the adjustments add up to, and what live reservations hold.
SELECT coalesce(stock.sku, adjusted.sku, held.sku) AS sku,
       coalesce(stock.on_hand, 0) AS on_hand,
       coalesce(stock.reserved, 0) AS reserved,
       coalesce(stock.shipped, 0) AS shipped,
       coalesce(adjusted.units, 0) AS adjusted,
       coalesce(held.units, 0) AS held
FROM stock
FULL JOIN (
    SELECT sku, sum(delta)::bigint AS units FROM stock_adjustment GROUP BY sku
) AS adjusted ON adjusted.sku = stock.sku
FULL JOIN (
    SELECT (line ->> 0) COLLATE "C" AS sku, sum((line ->> 1)::bigint)::bigint AS units
    FROM reservation, json_array_elements(units) AS line
    WHERE released_at IS NULL
    GROUP BY 1
) AS held ON held.sku = coalesce(stock.sku, adjusted.sku)
ORDER BY 1
