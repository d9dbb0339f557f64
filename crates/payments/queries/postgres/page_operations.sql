SELECT id, order_id, payment_id, leg, kind, amount, currency, status, provider_ref, refusal_code
FROM payment_operation
WHERE (order_id, leg) > ($1, $2)
ORDER BY order_id, leg
LIMIT $3
