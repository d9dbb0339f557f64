DELETE FROM customer_address
WHERE customer_id = $1::uuid AND name = $2::text
