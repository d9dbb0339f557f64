-- Claims the idempotency keys and writes the orders in one. A key that is taken gives no row: its
-- request leaves the batch and is told what the first one was told.
INSERT INTO orders (id, principal_id, idempotency_key, fingerprint, external_ref, customer_id,
                    status, currency, amount_subtotal, amount_discount, amount_tax, amount_total,
                    amount_authorized, amount_captured, amount_refunded, capture, payment, lines,
                    metadata, created_at, updated_at, version, pricing)
SELECT new.id, new.principal_id, new.idempotency_key, new.fingerprint, new.external_ref,
       new.customer_id, 'pending', new.currency, new.subtotal, new.discount, new.tax, new.total,
       0, 0, 0, new.capture, new.payment::json, new.lines::json, new.metadata::json,
       new.created_at, new.created_at, 1, new.pricing::json
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::uuid[], $7::text[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[],
            $14::text[], $15::text[], $16::timestamptz[], $17::text[])
     AS new (id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, currency,
             subtotal, discount, tax, total, capture, payment, lines, metadata, created_at,
             pricing)
-- In key order, as every node does it, so that two batches cannot wait for each other in a circle.
ORDER BY new.principal_id, new.idempotency_key COLLATE "C"
ON CONFLICT (principal_id, idempotency_key) DO NOTHING
RETURNING id
