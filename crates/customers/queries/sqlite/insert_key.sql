INSERT INTO api_key (id, name, secret_hash, scopes, created_at, prefix, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (secret_hash) DO NOTHING
