INSERT INTO refresh_token (secret_hash, session_id, created_at)
VALUES ($1, $2, $3)
