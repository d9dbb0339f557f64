SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data
FROM event
WHERE partition = $1 AND seq > $2
ORDER BY seq
LIMIT $3
