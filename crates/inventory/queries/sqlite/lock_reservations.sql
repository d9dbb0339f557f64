SELECT order_id, units
FROM reservation
WHERE order_id IN (SELECT unhex(value ->> 0) FROM json_each($1)) AND released_at IS NULL
ORDER BY order_id
