-- Newest first, like the customers.
SELECT id, name, scopes, created_at, (revoked_at IS NOT NULL)::int::bigint AS revoked, prefix, expires_at,
       last_used_at
FROM api_key
WHERE id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY id DESC
LIMIT $2::bigint
