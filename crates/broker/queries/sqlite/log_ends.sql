-- The last place of each partition that can be seen, 0 where there is none.
SELECT place.value ->> 0 AS partition,
       coalesce((SELECT max(seq) FROM event
                 WHERE event.partition = place.value ->> 0), 0) AS seq
FROM json_each($1) AS place
