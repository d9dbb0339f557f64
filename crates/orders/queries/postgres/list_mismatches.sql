SELECT m.order_id, m.at, m.currency, m.engine, m.total, m.other_engine, m.other_total, m.why,
       m.trace_id
FROM pricing_mismatch m
WHERE $1::uuid IS NULL OR m.order_id < $1::uuid
ORDER BY m.order_id DESC
LIMIT $2::bigint
