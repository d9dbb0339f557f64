SELECT id, order_id, payment_id, leg, kind, amount, currency, status, provider_ref, refusal_code
FROM payment_operation
WHERE order_id = $1
ORDER BY leg
