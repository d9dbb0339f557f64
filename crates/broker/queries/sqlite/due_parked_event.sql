-- Only the first parked event of an order has a moment that comes; the others wait behind it.
SELECT order_id, version, seq, attempts, last_error
FROM parked_event
WHERE consumer = $1 AND partition = $2 AND dead_since IS NULL AND next_attempt_at <= $3
ORDER BY next_attempt_at, order_id
LIMIT 1
