-- Of the events that nobody asked for only the last of the page is read out: it tells how far the
-- page went. They would be half of all rows.
WITH page AS (
    SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data,
           type IN (SELECT asked.value ->> 0 FROM json_each($1) AS asked) AS wanted,
           count(*) OVER () AS passed, max(seq) OVER () AS last
    FROM (
        SELECT * FROM event WHERE partition = $2 AND seq > $3 ORDER BY seq LIMIT $4
    )
)
SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id,
       CASE WHEN wanted THEN data END AS data, passed
FROM page
WHERE wanted OR seq = last
ORDER BY seq
