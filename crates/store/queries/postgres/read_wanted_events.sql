-- Of the events that nobody asked for only the last of the page is read out: it tells how far the
-- page went. They would be half of all rows.
WITH page AS (
    SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data,
           type = ANY ($1::text[]) AS wanted, count(*) OVER () AS passed, max(seq) OVER () AS last
    FROM (
        SELECT * FROM event WHERE partition = $2 AND seq > $3 ORDER BY seq LIMIT $4
    ) AS next
)
SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause,
       trace_id, CASE WHEN wanted THEN CAST(data AS text) END AS data, passed
FROM page
WHERE wanted OR seq = last
ORDER BY seq
