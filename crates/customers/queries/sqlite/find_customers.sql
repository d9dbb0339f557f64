SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version
FROM json_each($1) AS wanted
JOIN customer c ON c.id = unhex(wanted.value ->> 0)
WHERE c.erased_at IS NULL
