UPDATE shipment
SET status = new.status
FROM unnest($1::uuid[], $2::text[]) AS new (order_id, status)
WHERE shipment.order_id = new.order_id
