INSERT INTO consumer_position (consumer, partition, seq)
SELECT $2, partition::smallint, 0
FROM unnest($1::bigint[]) AS partition
ORDER BY partition
ON CONFLICT (consumer, partition) DO NOTHING
