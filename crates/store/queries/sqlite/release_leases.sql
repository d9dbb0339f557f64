UPDATE lease
SET expires_at = 0
WHERE name = $1 AND holder = $2 AND fence = $3 AND $4 IS NOT NULL
