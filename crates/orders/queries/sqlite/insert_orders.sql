-- Claims the idempotency keys and writes the orders in one. A key that is taken gives no row: its
-- request leaves the batch and is told what the first one was told.
-- JSONB, materialized: each row is parsed once and not once per column.
WITH new AS MATERIALIZED (SELECT key, jsonb(value) AS value FROM json_each($1))
INSERT INTO orders (id, principal_id, idempotency_key, fingerprint, external_ref, customer_id,
                    status, currency, amount_subtotal, amount_discount, amount_tax, amount_total,
                    amount_authorized, amount_captured, amount_refunded, capture, payment, lines,
                    metadata, created_at, updated_at, version, pricing)
SELECT unhex(new.value ->> 0), unhex(new.value ->> 1), new.value ->> 2, unhex(new.value ->> 3),
       new.value ->> 4, unhex(new.value ->> 5), 'pending', new.value ->> 6, new.value ->> 7,
       new.value ->> 8, new.value ->> 9, new.value ->> 10, 0, 0, 0, new.value ->> 11,
       new.value ->> 12, new.value ->> 13, new.value ->> 14, new.value ->> 15, new.value ->> 15, 1,
       new.value ->> 16
FROM new
WHERE true
ON CONFLICT (principal_id, idempotency_key) DO NOTHING
RETURNING id
