INSERT INTO pricing_mismatch (order_id, at, currency, engine, total, other_engine, other_total, why,
                              trace_id)
SELECT new.order_id, new.at, new.currency, new.engine, new.total, new.other_engine,
       nullif(new.other_total, -1), new.why, new.trace_id
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::text[],
            $7::bigint[], $8::text[], $9::text[])
     AS new (order_id, at, currency, engine, total, other_engine, other_total, why, trace_id)
ON CONFLICT (order_id) DO NOTHING
