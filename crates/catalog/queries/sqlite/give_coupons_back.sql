UPDATE coupon_use AS used
SET released_at = $2
FROM json_each($1) AS ended
WHERE used.order_id = unhex(ended.value ->> 0) AND used.released_at IS NULL
RETURNING coupon
