-- After the account's lock, where both are taken.
SELECT s.id, s.account_id, s.expires_at, s.ended_why
FROM session s
WHERE s.id = $1::uuid
FOR UPDATE
