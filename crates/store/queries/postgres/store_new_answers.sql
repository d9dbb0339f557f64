-- For keys that have no answer yet: where that is certain, asking for a conflict costs as much as the
-- row itself (7.4 instead of 3.7 µs).
INSERT INTO answer (principal_id, key, fingerprint, status, location, etag, body, created_at)
SELECT new.principal_id, new.key, new.fingerprint, new.status::smallint, new.location, new.etag,
       new.body, new.created_at
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::text[],
            $8::timestamptz[])
     AS new (principal_id, key, fingerprint, status, location, etag, body, created_at)
