SELECT position.consumer, CAST(position.partition AS bigint) AS partition,
       CASE WHEN EXISTS (
           SELECT 1 FROM event
           WHERE event.partition = position.partition AND event.seq > position.seq
       ) THEN 1::bigint ELSE 0 END AS events,
       CASE WHEN EXISTS (
           SELECT 1 FROM parked_event AS parked
           WHERE parked.consumer = position.consumer AND parked.partition = position.partition
             AND parked.dead_since IS NULL AND parked.next_attempt_at <= $1
       ) THEN 1::bigint ELSE 0 END AS parked
FROM consumer_position AS position
