-- Ends live reservations. Each is ended once: a second release finds nothing.
UPDATE reservation
SET released_at = $2
WHERE order_id IN (SELECT unhex(value ->> 0) FROM json_each($1)) AND released_at IS NULL
RETURNING order_id, units
