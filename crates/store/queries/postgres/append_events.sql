-- Takes the turn of every partition it writes, in order, then draws the places. The turn is held
-- until commit, so a reader never sees a later place of a partition before an earlier one.
WITH turns AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(7461, wanted.partition)
    FROM (SELECT DISTINCT p::int AS partition FROM unnest($1::bigint[]) AS p ORDER BY 1) AS wanted
), granted AS MATERIALIZED (
    SELECT count(*) AS n FROM turns
)
INSERT INTO event (partition, id, order_id, version, type, at, actor, cause, trace_id, data)
SELECT new.partition::smallint, new.id, new.order_id, new.version, new.type, new.at, new.actor,
       new.cause, new.trace_id, new.data::json
FROM granted,
     unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::timestamptz[],
            $7::text[], $8::text[], $9::text[], $10::text[])
         WITH ORDINALITY
         AS new (partition, id, order_id, version, type, at, actor, cause, trace_id, data, place)
WHERE granted.n > 0
ORDER BY new.place
