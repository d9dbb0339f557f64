DELETE FROM refresh_token
WHERE session_id IN (SELECT s.id FROM session s WHERE s.account_id = $1::uuid)
