SELECT id, order_id, amount, currency, capture, method, status, provider_ref, decline_code
FROM payment
WHERE order_id = $1
