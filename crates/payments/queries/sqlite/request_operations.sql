-- Written with the event that asks for them, before the provider is asked (rule D2).
INSERT INTO payment_operation
       (id, order_id, payment_id, leg, kind, amount, currency, status, created_at, updated_at)
SELECT unhex(new.value ->> 0), unhex(new.value ->> 1), unhex(new.value ->> 2), new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, 'open', $2, $2
FROM json_each($1) AS new
