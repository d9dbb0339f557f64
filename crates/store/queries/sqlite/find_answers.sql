SELECT a.principal_id, a.key, a.fingerprint, a.status, a.location, a.etag, a.body, a.created_at
FROM json_each($1) AS wanted
JOIN answer a ON a.principal_id = unhex(wanted.value ->> 0) AND a.key = wanted.value ->> 1
