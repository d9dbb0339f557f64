SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at
FROM json_each($1) AS wanted
JOIN customer c ON c.external_ref = wanted.value ->> 0
