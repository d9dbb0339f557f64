-- The intent is written before the provider is asked (rule D2).
INSERT INTO payment (id, order_id, amount, currency, capture, method, status, created_at, updated_at)
SELECT unhex(new.value ->> 0), unhex(new.value ->> 1), new.value ->> 2, new.value ->> 3,
       new.value ->> 4, new.value ->> 5, 'sending', $2, $2
FROM json_each($1) AS new
