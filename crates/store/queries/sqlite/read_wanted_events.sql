-- The data of kinds that nobody asked for stay where they are: they are most of an event's weight.
SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id,
       CASE WHEN type IN (SELECT wanted.value ->> 0 FROM json_each($1) AS wanted) THEN data END
       AS data
FROM event
WHERE partition = $2 AND seq > $3
ORDER BY seq
LIMIT $4
