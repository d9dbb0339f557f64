INSERT INTO account (id, email, password_hash, role, customer_id, created_at, password_changed_at)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::uuid, $6::timestamptz, $6::timestamptz)
ON CONFLICT (email) DO NOTHING
