UPDATE stock
SET on_hand = stock.on_hand + change.delta, version = stock.version + change.steps
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS change (sku, delta, steps)
WHERE stock.sku = change.sku
