-- A partition whose row another node holds is passed over: its events are in hand already.
SELECT CAST(partition AS bigint) AS partition, seq, claimed, tries
FROM consumer_position
WHERE consumer = $2 AND partition = ANY ($1::bigint[])
ORDER BY partition
FOR UPDATE SKIP LOCKED
