SELECT id, order_id, payment_id, leg, kind, amount, currency, status, provider_ref, refusal_code,
       created_at
FROM payment_operation
WHERE status = 'open' AND created_at < $1 AND (created_at, id) > ($2, $3)
ORDER BY created_at, id
LIMIT $4
