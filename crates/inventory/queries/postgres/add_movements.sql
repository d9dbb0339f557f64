INSERT INTO stock_movement (id, sku, kind, units, origin, target, order_id, actor, at)
SELECT new.id, new.sku, new.kind, new.units, new.origin, new.target, new.order_id, $8, $9
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::uuid[])
     AS new (id, sku, kind, units, origin, target, order_id)
