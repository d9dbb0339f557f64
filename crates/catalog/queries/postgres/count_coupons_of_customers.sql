SELECT u.coupon, u.customer_id, count(*) AS used
FROM unnest($1::text[], $2::uuid[]) AS wanted (coupon, customer_id)
JOIN coupon_use u ON u.coupon = wanted.coupon AND u.customer_id = wanted.customer_id
WHERE u.released_at IS NULL
GROUP BY u.coupon, u.customer_id
