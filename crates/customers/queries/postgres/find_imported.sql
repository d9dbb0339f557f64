SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version
FROM unnest($1::text[]) AS wanted (external_ref)
JOIN customer c ON c.external_ref = wanted.external_ref
