-- Shrinks or ends live reservations. Each is ended once.
UPDATE reservation
SET units = change.units::json, released_at = change.released_at
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS change (order_id, units, released_at)
WHERE reservation.order_id = change.order_id AND reservation.released_at IS NULL
