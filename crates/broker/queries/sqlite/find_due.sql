SELECT position.consumer, position.partition,
       EXISTS (
           SELECT 1 FROM event
           WHERE event.partition = position.partition AND event.seq > position.seq
       ) AS events,
       EXISTS (
           SELECT 1 FROM parked_event AS parked
           WHERE parked.consumer = position.consumer AND parked.partition = position.partition
             AND parked.dead_since IS NULL AND parked.next_attempt_at <= $1
       ) AS parked
FROM consumer_position AS position
