UPDATE customer
SET name = $3, email = $4, default_payment_method = $5,
    updated_at = $6, version = version + 1
WHERE id = $1 AND version = $2 AND erased_at IS NULL
