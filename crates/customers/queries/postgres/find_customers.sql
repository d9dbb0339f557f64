SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at
FROM unnest($1::uuid[]) AS wanted (id)
JOIN customer c ON c.id = wanted.id
