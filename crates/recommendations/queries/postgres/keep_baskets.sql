INSERT INTO basket (id, skus)
SELECT new.id, new.skus::json
FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS new (id, skus, place)
ORDER BY new.place
ON CONFLICT (id) DO NOTHING
