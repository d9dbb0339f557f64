SELECT o.principal_id, o.idempotency_key, o.fingerprint
FROM unnest($1::uuid[], $2::text[]) AS wanted (principal_id, key)
JOIN orders o ON o.principal_id = wanted.principal_id AND o.idempotency_key = wanted.key
