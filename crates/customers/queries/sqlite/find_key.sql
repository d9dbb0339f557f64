SELECT id, name, scopes, created_at, revoked_at IS NOT NULL AS revoked
FROM api_key
WHERE secret_hash = $1
