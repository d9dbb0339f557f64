SELECT o.principal_id, o.idempotency_key, o.fingerprint
FROM json_each($1) AS wanted
JOIN orders o ON o.principal_id = unhex(wanted.value ->> 0)
             AND o.idempotency_key = wanted.value ->> 1
