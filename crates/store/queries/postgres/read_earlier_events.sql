-- Like read_wanted_events, backwards. The data of kinds that nobody asked for stay where they are.
SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause,
       trace_id, CASE WHEN type = ANY ($1::text[]) THEN CAST(data AS text) END AS data
FROM event
WHERE partition = $2 AND seq < $3
ORDER BY seq DESC
LIMIT $4
