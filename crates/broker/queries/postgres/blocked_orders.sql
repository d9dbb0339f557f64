-- Which of these orders have an event parked already: later events must queue behind it. A
-- statement of its own, after the lock, so that it sees what the last holder of the lock wrote.
SELECT DISTINCT parked.order_id
FROM unnest($1::uuid[]) AS wanted (order_id)
JOIN parked_event AS parked ON parked.consumer = $2 AND parked.order_id = wanted.order_id
