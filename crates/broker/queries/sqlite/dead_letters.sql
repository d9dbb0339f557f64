SELECT parked.consumer, parked.order_id, parked.version, event.type, parked.partition, parked.seq,
       parked.attempts, parked.dead_since, parked.last_error
FROM parked_event AS parked
JOIN event ON event.order_id = parked.order_id AND event.version = parked.version
WHERE parked.dead_since IS NOT NULL
  AND ($1 IS NULL OR (parked.dead_since, parked.consumer, parked.order_id) > ($1, $2, $3))
ORDER BY parked.dead_since, parked.consumer, parked.order_id
LIMIT $4
