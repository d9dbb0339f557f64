-- An order whose goods were given back may be promised goods again; a live promise stays as it is.
INSERT INTO reservation (order_id, units, reserved_at)
SELECT new.order_id, new.units::json, $3
FROM unnest($1::uuid[], $2::text[]) AS new (order_id, units)
ON CONFLICT (order_id) DO UPDATE
SET units = excluded.units, reserved_at = excluded.reserved_at, released_at = NULL
WHERE reservation.released_at IS NOT NULL
