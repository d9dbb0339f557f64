-- Fenced by the number of attempts: of two nodes that begin or end the same attempt, one counts it.
UPDATE parked_event
SET attempts = $5, next_attempt_at = $6, dead_since = $7, last_error = $8
WHERE consumer = $1 AND order_id = $2 AND version = $3 AND attempts = $4 AND dead_since IS NULL
