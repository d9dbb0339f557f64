SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
WHERE customer_id = $7
  AND ($2 IS NULL OR id < $2)
  AND ($6 IS NULL OR id >= $6)
  AND ($3 IS NULL OR status = $3)
  AND ($4 IS NULL OR created_at >= $4)
  AND ($5 IS NULL OR created_at < $5)
  AND ($8 IS NULL OR external_ref = $8)
ORDER BY id DESC
LIMIT $1
