UPDATE coupon_count AS old
SET used = old.used + (more.value ->> 1)
FROM json_each($1) AS more
WHERE old.coupon = more.value ->> 0
