INSERT INTO reservation (order_id, units, reserved_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, $2
FROM json_each($1) AS new
