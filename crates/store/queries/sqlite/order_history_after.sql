SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data
FROM event
WHERE order_id = $1 AND version > $2
ORDER BY version
LIMIT $3
