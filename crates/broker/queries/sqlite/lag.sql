SELECT position.consumer,
       CAST(sum((
           SELECT count(*) FROM event
           WHERE event.partition = position.partition AND event.seq > position.seq
       )) AS bigint) AS behind,
       min((
           SELECT event.at FROM event
           WHERE event.partition = position.partition AND event.seq > position.seq
           ORDER BY event.seq LIMIT 1
       )) AS oldest_at,
       (SELECT count(*) FROM parked_event AS parked
        WHERE parked.consumer = position.consumer AND parked.dead_since IS NULL) AS parked,
       (SELECT count(*) FROM parked_event AS parked
        WHERE parked.consumer = position.consumer AND parked.dead_since IS NOT NULL) AS dead
FROM consumer_position AS position
GROUP BY position.consumer
ORDER BY position.consumer
