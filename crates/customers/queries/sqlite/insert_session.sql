INSERT INTO session (id, account_id, created_at, expires_at)
VALUES ($1, $2, $3, $4)
