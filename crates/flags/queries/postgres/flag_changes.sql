SELECT c.id, c.at, c.actor, c.old::text AS old, c.new::text AS new
FROM flag_change c
WHERE c.key = $1::text AND ($2::uuid IS NULL OR c.id < $2::uuid)
ORDER BY c.id DESC
LIMIT $3::bigint
