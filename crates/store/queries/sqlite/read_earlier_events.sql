-- Like read_wanted_events, backwards. The data of kinds that nobody asked for stay where they are.
SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id,
       CASE WHEN type IN (SELECT wanted.value ->> 0 FROM json_each($1) AS wanted) THEN data END
       AS data
FROM event
WHERE partition = $2 AND seq < $3
ORDER BY seq DESC
LIMIT $4
