SELECT r.kind, r.id, r.definition::text AS definition, r.revision, r.updated_at
FROM price_rule r
WHERE r.revision > $1::bigint
ORDER BY r.revision
LIMIT $2::bigint
