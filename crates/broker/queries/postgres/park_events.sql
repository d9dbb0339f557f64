INSERT INTO parked_event (consumer, order_id, version, partition, seq, attempts, next_attempt_at,
                          dead_since, last_error)
SELECT $9, new.order_id, new.version, new.partition::smallint, new.seq, new.attempts,
       new.next_attempt_at, new.dead_since, new.last_error
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::timestamptz[], $7::timestamptz[], $8::text[])
     AS new (order_id, version, partition, seq, attempts, next_attempt_at, dead_since, last_error)
