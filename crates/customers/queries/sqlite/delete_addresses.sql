DELETE FROM customer_address
WHERE customer_id = $1
