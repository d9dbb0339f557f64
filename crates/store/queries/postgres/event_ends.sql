-- For the audit: how many events an order has, and its last version; equal when none is missing.
SELECT order_id, count(*) AS events, max(version) AS last_version
FROM event
WHERE order_id > $1
GROUP BY order_id
ORDER BY order_id
LIMIT $2
