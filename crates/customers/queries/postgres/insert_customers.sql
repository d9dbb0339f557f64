-- A reference that is taken keeps its customer. In the order of the references, so that two
-- imports of the same file wait for each other instead of deadlocking.
INSERT INTO customer (id, external_ref, name, email, default_payment_method, created_at)
SELECT new.id, new.external_ref, new.name, new.email, new.default_payment_method, $6::timestamptz
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
         WITH ORDINALITY
         AS new (id, external_ref, name, email, default_payment_method, place)
ORDER BY new.external_ref COLLATE "C", new.place
ON CONFLICT (external_ref) DO NOTHING
