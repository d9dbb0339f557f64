DELETE FROM session
WHERE account_id = $1::uuid
RETURNING id
