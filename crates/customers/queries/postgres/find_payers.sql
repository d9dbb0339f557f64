SELECT c.id, c.default_payment_method
FROM unnest($1::uuid[]) AS wanted (id)
JOIN customer c ON c.id = wanted.id
