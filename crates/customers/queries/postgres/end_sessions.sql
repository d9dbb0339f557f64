UPDATE session
SET ended_at = $2::timestamptz, ended_why = $3::text
WHERE account_id = $1::uuid AND ended_at IS NULL
RETURNING id
