SELECT f.key, f.definition, f.revision, f.updated_by, f.updated_at
FROM flag f
WHERE f.revision > $1
ORDER BY f.revision
LIMIT $2
