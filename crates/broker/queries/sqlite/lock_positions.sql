-- One writer at a time: the transaction itself is the lock.
SELECT partition, seq, claimed, tries
FROM consumer_position
WHERE consumer = $2 AND partition IN (SELECT wanted.value ->> 0 FROM json_each($1) AS wanted)
ORDER BY partition
