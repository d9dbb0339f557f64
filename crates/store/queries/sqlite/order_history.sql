SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data
FROM event
WHERE order_id = $1
ORDER BY version
