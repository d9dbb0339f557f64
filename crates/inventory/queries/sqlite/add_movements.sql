INSERT INTO stock_movement (id, sku, kind, units, origin, target, order_id, actor, at)
SELECT unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4,
       new.value ->> 5, unhex(new.value ->> 6), $2, $3
FROM json_each($1) AS new
