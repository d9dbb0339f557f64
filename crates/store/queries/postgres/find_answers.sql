SELECT a.principal_id, a.key, a.fingerprint, a.status::bigint AS status, a.location, a.etag, a.body,
       a.created_at
FROM unnest($1::uuid[], $2::text[]) AS wanted (principal_id, key)
JOIN answer a ON a.principal_id = wanted.principal_id AND a.key = wanted.key
