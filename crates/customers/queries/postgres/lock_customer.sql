-- Whatever changes the customer or what is theirs takes this lock first.
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version,
       (c.erased_at IS NOT NULL)::int::bigint AS erased
FROM customer c
WHERE c.id = $1::uuid
FOR UPDATE
