-- What is to be done with an order's payment is done one after the other.
SELECT id, order_id, payment_id, leg, kind, amount, currency, status, provider_ref, refusal_code
FROM payment_operation
WHERE order_id = $1 AND status = 'open'
ORDER BY leg
LIMIT 1
