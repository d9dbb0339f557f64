SELECT id, order_id, amount, currency, capture, method, status, provider_ref, decline_code
FROM payment
WHERE order_id IN (SELECT unhex(value ->> 0) FROM json_each($1))
