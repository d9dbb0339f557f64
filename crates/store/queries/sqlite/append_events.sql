-- One writer at a time: the places need no turn.
-- JSONB, materialized: each row is parsed once and not once per column.
WITH new AS MATERIALIZED (SELECT key, jsonb(value) AS value FROM json_each($1))
INSERT INTO event (partition, id, order_id, version, type, at, actor, cause, trace_id, data)
SELECT new.value ->> 0, unhex(new.value ->> 1), unhex(new.value ->> 2), new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, new.value ->> 7, new.value ->> 8,
       new.value ->> 9
FROM new
ORDER BY new.key
