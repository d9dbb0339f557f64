UPDATE session
SET ended_at = $2, ended_why = $3
WHERE id = $1 AND ended_at IS NULL
