-- The first of those that still wait is next.
UPDATE parked_event
SET next_attempt_at = $3
WHERE consumer = $1 AND order_id = $2
  AND version = (SELECT min(version) FROM parked_event WHERE consumer = $1 AND order_id = $2)
