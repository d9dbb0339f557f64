INSERT INTO account (id, email, password_hash, role, customer_id, created_at, password_changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (email) DO NOTHING
