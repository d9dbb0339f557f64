-- The oldest of an account that has more than so many.
UPDATE session
SET ended_at = $3, ended_why = 'crowded_out'
WHERE account_id = $1 AND ended_at IS NULL
  AND id NOT IN (
      SELECT s.id
      FROM session s
      WHERE s.account_id = $1 AND s.ended_at IS NULL
      ORDER BY s.id DESC
      LIMIT $2
  )
RETURNING id
