SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
WHERE ($2::uuid IS NULL OR id < $2)
  AND ($6::uuid IS NULL OR id >= $6)
  AND ($3::text IS NULL OR status = $3)
  AND ($4::timestamptz IS NULL OR created_at >= $4)
  AND ($5::timestamptz IS NULL OR created_at < $5)
ORDER BY id DESC
LIMIT $1
