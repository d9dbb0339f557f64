-- Per SKU: the level, what the adjustments add up to, and what live reservations hold.
SELECT sku,
       sum(on_hand) AS on_hand,
       sum(reserved) AS reserved,
       sum(shipped) AS shipped,
       sum(adjusted) AS adjusted,
       sum(held) AS held
FROM (
    SELECT sku, on_hand, reserved, shipped, 0 AS adjusted, 0 AS held FROM stock
    UNION ALL
    SELECT sku, 0, 0, 0, delta, 0 FROM stock_adjustment
    UNION ALL
    SELECT line.value ->> 0, 0, 0, 0, 0, line.value ->> 1
    FROM reservation, json_each(reservation.units) AS line
    WHERE released_at IS NULL
) AS books
GROUP BY sku
ORDER BY sku
