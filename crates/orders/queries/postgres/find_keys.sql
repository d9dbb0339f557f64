SELECT o.id, o.principal_id, o.idempotency_key, o.fingerprint, o.external_ref, o.customer_id, o.status, o.currency,
       o.amount_subtotal, o.amount_discount, o.amount_tax, o.amount_total, o.amount_authorized,
       o.amount_captured, o.amount_refunded, o.capture, o.payment::text AS payment, o.lines::text AS lines,
       o.metadata::text AS metadata, o.pricing::text AS pricing, o.cancel_requested, o.goods, o.created_at, o.updated_at, o.version
FROM unnest($1::uuid[], $2::text[]) AS wanted (principal_id, key)
JOIN orders o ON o.principal_id = wanted.principal_id AND o.idempotency_key = wanted.key
