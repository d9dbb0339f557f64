UPDATE parked_event
SET attempts = 0, next_attempt_at = $3, dead_since = NULL
WHERE consumer = $1 AND order_id = $2 AND dead_since IS NOT NULL
