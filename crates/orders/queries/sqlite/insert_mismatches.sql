INSERT INTO pricing_mismatch (order_id, at, currency, engine, total, other_engine, other_total, why,
                              trace_id)
SELECT unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4,
       new.value ->> 5, nullif(new.value ->> 6, -1), new.value ->> 7, new.value ->> 8
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (order_id) DO NOTHING
