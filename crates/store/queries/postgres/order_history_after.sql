SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause, trace_id, CAST(data AS text) AS data
FROM event
WHERE order_id = $1 AND version > $2
ORDER BY version
LIMIT $3
