-- The last place of each partition that can be seen, 0 where there is none.
SELECT place.partition,
       coalesce((SELECT max(seq) FROM event
                 WHERE event.partition = place.partition::smallint), 0) AS seq
FROM unnest($1::bigint[]) AS place (partition)
