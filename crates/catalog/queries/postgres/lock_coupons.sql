-- The row of each coupon, made where there is none, held until the transaction ends. In the order of
-- the codes, so that two transactions do not wait for each other in a circle.
INSERT INTO coupon_count AS old (coupon, used)
SELECT wanted.coupon, 0
FROM unnest($1::text[]) AS wanted (coupon)
ORDER BY wanted.coupon COLLATE "C"
ON CONFLICT (coupon) DO UPDATE SET used = old.used
RETURNING coupon, used
