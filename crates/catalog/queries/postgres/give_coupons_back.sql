UPDATE coupon_use AS used
SET released_at = $2::timestamptz
FROM unnest($1::uuid[]) AS ended (order_id)
WHERE used.order_id = ended.order_id AND used.released_at IS NULL
RETURNING used.coupon
