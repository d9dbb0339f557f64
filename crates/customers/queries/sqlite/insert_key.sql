INSERT INTO api_key (id, name, secret_hash, scopes, created_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (secret_hash) DO NOTHING
