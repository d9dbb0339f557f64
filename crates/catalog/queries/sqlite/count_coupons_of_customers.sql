SELECT u.coupon, u.customer_id, count(*) AS used
FROM json_each($1) AS wanted
JOIN coupon_use u ON u.coupon = wanted.value ->> 0 AND u.customer_id = unhex(wanted.value ->> 1)
WHERE u.released_at IS NULL
GROUP BY u.coupon, u.customer_id
