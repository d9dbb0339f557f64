SELECT f.key, f.definition::text AS definition, f.revision, f.updated_by, f.updated_at
FROM flag f
WHERE f.revision > $1::bigint
ORDER BY f.revision
LIMIT $2::bigint
