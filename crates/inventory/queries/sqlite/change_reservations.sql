-- Shrinks or ends live reservations. Each is ended once.
UPDATE reservation
SET units = change.units, released_at = change.released_at
FROM (
    SELECT unhex(value ->> 0) AS order_id, value ->> 1 AS units, value ->> 2 AS released_at
    FROM json_each($1)
) AS change
WHERE reservation.order_id = change.order_id AND reservation.released_at IS NULL
