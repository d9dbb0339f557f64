SELECT r.session_id
FROM refresh_token r
WHERE r.secret_hash = $1::bytea
