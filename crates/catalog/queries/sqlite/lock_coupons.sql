-- The row of each coupon, made where there is none. There is one writer at a time.
INSERT INTO coupon_count AS old (coupon, used)
SELECT wanted.value ->> 0, 0
FROM json_each($1) AS wanted
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (coupon) DO UPDATE SET used = old.used
RETURNING coupon, used
