INSERT INTO stock_adjustment (id, sku, delta, reason, location, actor, at)
SELECT new.id, new.sku, new.delta, new.reason, new.location, $6, $7
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[])
     AS new (id, sku, delta, reason, location)
