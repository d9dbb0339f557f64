SELECT parked.consumer, parked.order_id, parked.version, event.type,
       CAST(parked.partition AS bigint) AS partition, parked.seq, parked.attempts,
       parked.dead_since, parked.last_error
FROM parked_event AS parked
JOIN event ON event.order_id = parked.order_id AND event.version = parked.version
WHERE parked.dead_since IS NOT NULL
  AND ($1::timestamptz IS NULL
       OR (parked.dead_since, parked.consumer, parked.order_id) > ($1, $2::text, $3::uuid))
ORDER BY parked.dead_since, parked.consumer, parked.order_id
LIMIT $4::bigint
