-- Per SKU: the level, what the adjustments add up to, what live reservations hold, and what lies
-- at other locations than the main one.
SELECT sku,
       sum(on_hand)::bigint AS on_hand,
       sum(reserved)::bigint AS reserved,
       sum(shipped)::bigint AS shipped,
       sum(returned)::bigint AS returned,
       sum(adjusted)::bigint AS adjusted,
       sum(held)::bigint AS held,
       sum(elsewhere)::bigint AS elsewhere
FROM (
    SELECT sku, on_hand, reserved, shipped, returned, 0, 0, 0 FROM stock
    UNION ALL
    SELECT sku, 0, 0, 0, 0, delta, 0, 0 FROM stock_adjustment
    UNION ALL
    SELECT (line ->> 0) COLLATE "C", 0, 0, 0, 0, 0, (line ->> 1)::bigint, 0
    FROM reservation, json_array_elements(units) AS line
    WHERE released_at IS NULL
    UNION ALL
    SELECT sku, 0, 0, 0, 0, 0, 0, on_hand FROM stock_at
) AS books (sku, on_hand, reserved, shipped, returned, adjusted, held, elsewhere)
GROUP BY sku
ORDER BY sku
