-- A reference that is taken keeps its customer.
INSERT INTO customer (id, external_ref, name, email, default_payment_method, created_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ORDER BY new.key
ON CONFLICT (external_ref) DO NOTHING
