-- Per SKU: the level, what the adjustments add up to, what live reservations hold, and what lies
-- at other locations than the main one.
SELECT sku,
       sum(on_hand) AS on_hand,
       sum(reserved) AS reserved,
       sum(shipped) AS shipped,
       sum(returned) AS returned,
       sum(adjusted) AS adjusted,
       sum(held) AS held,
       sum(elsewhere) AS elsewhere
FROM (
    SELECT sku, on_hand, reserved, shipped, returned, 0 AS adjusted, 0 AS held, 0 AS elsewhere
    FROM stock
    UNION ALL
    SELECT sku, 0, 0, 0, 0, delta, 0, 0 FROM stock_adjustment
    UNION ALL
    SELECT line.value ->> 0, 0, 0, 0, 0, 0, line.value ->> 1, 0
    FROM reservation, json_each(reservation.units) AS line
    WHERE released_at IS NULL
    UNION ALL
    SELECT sku, 0, 0, 0, 0, 0, 0, on_hand FROM stock_at
) AS books
GROUP BY sku
ORDER BY sku
