INSERT INTO reservation (order_id, units, reserved_at)
SELECT new.order_id, new.units::json, $3
FROM unnest($1::uuid[], $2::text[]) AS new (order_id, units)
