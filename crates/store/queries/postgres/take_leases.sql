-- Renews, and takes what nobody holds. Time is the database's; $4 is for SQLite.
INSERT INTO lease (name, holder, fence, expires_at)
SELECT name, $2, 1, clock_timestamp() + $3::bigint * interval '1 microsecond'
FROM unnest($1::text[]) AS wanted (name)
WHERE $4::timestamptz IS NOT NULL
-- In name order, as every node does it, so that two nodes cannot wait for each other in a circle.
ORDER BY name COLLATE "C"
ON CONFLICT (name) DO UPDATE
SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at,
    fence = lease.fence + CASE WHEN lease.holder = EXCLUDED.holder THEN 0 ELSE 1 END
WHERE lease.holder = EXCLUDED.holder OR lease.expires_at < clock_timestamp()
RETURNING name, fence
