INSERT INTO stock_adjustment (id, sku, delta, reason, actor, at)
SELECT new.id, new.sku, new.delta, new.reason, $5, $6
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[]) AS new (id, sku, delta, reason)
