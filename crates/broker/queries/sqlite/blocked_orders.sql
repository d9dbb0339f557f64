-- Which of these orders have an event parked already: later events must queue behind it.
SELECT DISTINCT parked.order_id
FROM json_each($1) AS wanted
JOIN parked_event AS parked
  ON parked.consumer = $2 AND parked.order_id = unhex(wanted.value ->> 0)
