-- How many units lie at other locations now, for SKUs whose rows in stock are locked.
INSERT INTO stock_at (sku, location, on_hand)
SELECT new.sku, new.location, new.on_hand
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS new (sku, location, on_hand)
ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand
