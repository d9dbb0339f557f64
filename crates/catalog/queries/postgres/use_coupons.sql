INSERT INTO coupon_use (order_id, coupon, customer_id, used_at)
SELECT new.order_id, new.coupon, new.customer_id, $4::timestamptz
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS new (order_id, coupon, customer_id)
