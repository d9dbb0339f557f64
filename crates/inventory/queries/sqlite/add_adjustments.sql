INSERT INTO stock_adjustment (id, sku, delta, reason, location, actor, at)
SELECT unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4,
       $2, $3
FROM json_each($1) AS new
