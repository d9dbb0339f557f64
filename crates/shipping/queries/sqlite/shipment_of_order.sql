SELECT status, units, created_at
FROM shipment
WHERE order_id = $1
