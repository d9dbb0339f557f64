INSERT INTO shipment (order_id, status, units, created_at)
SELECT new.order_id, 'preparing', new.units::json, new.created_at
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS new (order_id, units, created_at)
ORDER BY new.order_id
ON CONFLICT (order_id) DO NOTHING
