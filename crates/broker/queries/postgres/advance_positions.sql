UPDATE consumer_position AS position
SET seq = moved.seq
FROM unnest($1::bigint[], $2::bigint[]) AS moved (partition, seq)
WHERE position.consumer = $3 AND position.partition = moved.partition
