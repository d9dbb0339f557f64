UPDATE parked_event
SET attempts = 0, next_attempt_at = $3, dead_since = NULL
WHERE (consumer, order_id, version) IN (
    SELECT consumer, order_id, version FROM parked_event
    WHERE dead_since IS NOT NULL AND ($1 IS NULL OR consumer = $1)
    ORDER BY dead_since, consumer, order_id
    LIMIT $2
)
