SELECT r.kind, r.id, r.definition, r.revision, r.updated_at
FROM price_rule r
WHERE r.revision > $1
ORDER BY r.revision
LIMIT $2
