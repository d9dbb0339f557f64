-- Newest first, like the customers.
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.id < coalesce($1, unhex('ffffffffffffffffffffffffffffffff'))
ORDER BY a.id DESC
LIMIT $2
