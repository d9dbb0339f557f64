-- Ends live reservations. Each is ended once: a second release finds nothing.
UPDATE reservation
SET released_at = $2
WHERE order_id = ANY ($1::uuid[]) AND released_at IS NULL
RETURNING order_id, units::text AS units
