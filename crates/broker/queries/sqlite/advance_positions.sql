UPDATE consumer_position AS position
SET seq = moved.value ->> 1
FROM json_each($1) AS moved
WHERE position.consumer = $2 AND position.partition = moved.value ->> 0
