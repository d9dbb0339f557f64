INSERT INTO coupon_use (order_id, coupon, customer_id, used_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, unhex(new.value ->> 2), $2
FROM json_each($1) AS new
