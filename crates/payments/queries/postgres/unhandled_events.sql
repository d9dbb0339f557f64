SELECT id, type, order_id, received_at
FROM provider_event
WHERE handled_at IS NULL
ORDER BY received_at, id
LIMIT $1
