-- Those that somebody else works on are left to the next time.
SELECT s.id
FROM session s
WHERE s.expires_at < $1::timestamptz
ORDER BY s.expires_at
LIMIT $2::bigint
FOR UPDATE SKIP LOCKED
