UPDATE customer
SET name = $3::text, email = $4::text, default_payment_method = $5::text,
    updated_at = $6::timestamptz, version = version + 1
WHERE id = $1::uuid AND version = $2::bigint AND erased_at IS NULL
