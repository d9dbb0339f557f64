UPDATE account
SET password_hash = $3, password_changed_at = $4
WHERE id = $1 AND password_hash = $2
