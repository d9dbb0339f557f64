UPDATE refresh_token
SET used_at = $2::timestamptz
WHERE secret_hash = $1::bytea AND used_at IS NULL
