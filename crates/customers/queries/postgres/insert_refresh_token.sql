INSERT INTO refresh_token (secret_hash, session_id, created_at)
VALUES ($1::bytea, $2::uuid, $3::timestamptz)
