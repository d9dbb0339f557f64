UPDATE customer
SET external_ref = NULL, name = '', email = NULL, default_payment_method = NULL,
    updated_at = $2::timestamptz, erased_at = $2::timestamptz, version = version + 1
WHERE id = $1::uuid AND erased_at IS NULL
