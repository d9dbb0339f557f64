SELECT o.id, o.principal_id, o.idempotency_key, o.fingerprint, o.external_ref, o.customer_id, o.status, o.currency,
       o.amount_subtotal, o.amount_discount, o.amount_tax, o.amount_total, o.amount_authorized,
       o.amount_captured, o.amount_refunded, o.capture, o.payment, o.lines, o.metadata, o.pricing, o.cancel_requested, o.goods, o.created_at, o.updated_at,
       o.version
FROM json_each($1) AS wanted
JOIN orders o ON o.principal_id = unhex(wanted.value ->> 0)
             AND o.idempotency_key = wanted.value ->> 1
