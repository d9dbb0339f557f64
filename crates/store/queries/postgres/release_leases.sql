UPDATE lease
SET expires_at = 'epoch'
WHERE name = $1 AND holder = $2 AND fence = $3 AND $4::timestamptz IS NOT NULL
