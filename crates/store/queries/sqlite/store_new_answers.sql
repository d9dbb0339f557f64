-- For keys that have no answer yet.
-- JSONB, materialized: each row is parsed once and not once per column.
WITH new AS MATERIALIZED (SELECT jsonb(value) AS value FROM json_each($1))
INSERT INTO answer (principal_id, key, fingerprint, status, location, etag, body, created_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, unhex(new.value ->> 2), new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, new.value ->> 7
FROM new
