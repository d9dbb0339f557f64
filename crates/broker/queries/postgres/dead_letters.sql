SELECT consumer, order_id, version, CAST(partition AS bigint) AS partition, seq, attempts,
       dead_since, last_error
FROM parked_event
WHERE dead_since IS NOT NULL
ORDER BY dead_since, consumer, order_id
LIMIT $1
