-- How many events come after a place of each partition, counted no further than $2.
SELECT place.value ->> 0 AS partition,
       (SELECT count(*) FROM (
            SELECT 1 FROM event
            WHERE event.partition = place.value ->> 0 AND event.seq > place.value ->> 1
            LIMIT $2
        ) AS ahead) AS events
FROM json_each($1) AS place
