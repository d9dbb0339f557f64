-- Per SKU: the level, what the adjustments add up to, and what live reservations hold.
SELECT sku,
       sum(on_hand)::bigint AS on_hand,
       sum(reserved)::bigint AS reserved,
       sum(shipped)::bigint AS shipped,
       sum(adjusted)::bigint AS adjusted,
       sum(held)::bigint AS held
FROM (
    SELECT sku, on_hand, reserved, shipped, 0 AS adjusted, 0 AS held FROM stock
    UNION ALL
    SELECT sku, 0, 0, 0, delta, 0 FROM stock_adjustment
    UNION ALL
    SELECT (line ->> 0) COLLATE "C", 0, 0, 0, 0, (line ->> 1)::bigint
    FROM reservation, json_array_elements(units) AS line
    WHERE released_at IS NULL
) AS books (sku, on_hand, reserved, shipped, adjusted, held)
GROUP BY sku
ORDER BY sku
