SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause, trace_id, CAST(data AS text) AS data
FROM event
WHERE partition = $1 AND seq > $2
ORDER BY seq
LIMIT $3
