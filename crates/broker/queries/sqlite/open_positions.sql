INSERT INTO consumer_position (consumer, partition, seq)
SELECT $2, new.value ->> 0, 0
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (consumer, partition) DO NOTHING
