SELECT c.coupon, c.used
FROM unnest($1::text[]) AS wanted (coupon)
JOIN coupon_count c ON c.coupon = wanted.coupon
