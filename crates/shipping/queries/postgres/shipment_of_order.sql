SELECT status, CAST(units AS text) AS units, created_at
FROM shipment
WHERE order_id = $1
