-- The data of kinds that nobody asked for stay where they are: they are most of an event's weight.
SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause,
       trace_id, CASE WHEN type = ANY ($1::text[]) THEN CAST(data AS text) END AS data
FROM event
WHERE partition = $2 AND seq > $3
ORDER BY seq
LIMIT $4
