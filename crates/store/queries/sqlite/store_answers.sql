-- The first answer that was given stays the answer for ever.
-- JSONB, materialized: each row is parsed once and not once per column.
WITH new AS MATERIALIZED (SELECT key, jsonb(value) AS value FROM json_each($1))
INSERT INTO answer (principal_id, key, fingerprint, status, location, etag, body, created_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, unhex(new.value ->> 2), new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, new.value ->> 7
FROM new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (principal_id, key) DO NOTHING
