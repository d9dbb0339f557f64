UPDATE coupon_count AS old
SET used = old.used + more.used
FROM unnest($1::text[], $2::bigint[]) AS more (coupon, used)
WHERE old.coupon = more.coupon
