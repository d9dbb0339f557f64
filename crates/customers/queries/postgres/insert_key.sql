INSERT INTO api_key (id, name, secret_hash, scopes, created_at, prefix, expires_at)
VALUES ($1::uuid, $2::text, $3::bytea, $4::text, $5::timestamptz, $6::text, $7::timestamptz)
ON CONFLICT (secret_hash) DO NOTHING
