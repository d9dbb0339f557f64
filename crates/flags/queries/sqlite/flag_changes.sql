SELECT c.id, c.at, c.actor, c.old, c.new
FROM flag_change c
WHERE c.key = $1 AND ($2 IS NULL OR c.id < $2)
ORDER BY c.id DESC
LIMIT $3
