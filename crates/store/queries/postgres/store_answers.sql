-- The first answer that was given stays the answer for ever.
INSERT INTO answer (principal_id, key, fingerprint, status, location, etag, body, created_at)
SELECT new.principal_id, new.key, new.fingerprint, new.status::smallint, new.location, new.etag,
       new.body, new.created_at
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::text[],
            $8::timestamptz[])
     AS new (principal_id, key, fingerprint, status, location, etag, body, created_at)
ORDER BY new.principal_id, new.key
ON CONFLICT (principal_id, key) DO NOTHING
