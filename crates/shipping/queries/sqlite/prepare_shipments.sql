INSERT INTO shipment (order_id, status, units, created_at)
SELECT unhex(new.value ->> 0), 'preparing', new.value ->> 1, new.value ->> 2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (order_id) DO NOTHING
