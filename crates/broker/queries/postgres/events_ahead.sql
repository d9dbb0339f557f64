-- How many events come after a place of each partition, counted no further than $3.
SELECT place.partition,
       (SELECT count(*) FROM (
            SELECT 1 FROM event
            WHERE event.partition = place.partition::smallint AND event.seq > place.seq
            LIMIT $3
        ) AS ahead) AS events
FROM unnest($1::bigint[], $2::bigint[]) AS place (partition, seq)
