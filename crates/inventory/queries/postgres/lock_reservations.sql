-- The live reservations of these orders, held until the transaction ends, locked in their order.
SELECT order_id, units::text AS units
FROM reservation
WHERE order_id = ANY ($1::uuid[]) AND released_at IS NULL
ORDER BY order_id
FOR UPDATE
