-- Whose session it is, while it lasts.
SELECT s.expires_at, a.id, a.role, a.customer_id
FROM session s
JOIN account a ON a.id = s.account_id
WHERE s.id = $1::uuid AND s.ended_at IS NULL
