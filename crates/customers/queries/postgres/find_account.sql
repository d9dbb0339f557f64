SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.id = $1::uuid
