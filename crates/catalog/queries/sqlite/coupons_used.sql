SELECT c.coupon, c.used
FROM json_each($1) AS wanted
JOIN coupon_count c ON c.coupon = wanted.value ->> 0
