SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
WHERE id = $1
