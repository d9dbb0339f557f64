SELECT id, name, scopes, created_at, (revoked_at IS NOT NULL) AS revoked, prefix, expires_at,
       last_used_at
FROM api_key
WHERE id = $1
