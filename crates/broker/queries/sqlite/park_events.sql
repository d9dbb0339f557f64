INSERT INTO parked_event (consumer, order_id, version, partition, seq, attempts, next_attempt_at,
                          dead_since, last_error)
SELECT $2, unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, new.value ->> 7
FROM json_each($1) AS new
