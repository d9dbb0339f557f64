-- An order whose goods were given back may be promised goods again; a live promise stays as it is.
INSERT INTO reservation (order_id, units, reserved_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (order_id) DO UPDATE
SET units = excluded.units, reserved_at = excluded.reserved_at, released_at = NULL
WHERE reservation.released_at IS NOT NULL
