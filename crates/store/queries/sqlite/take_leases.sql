-- Renews, and takes what nobody holds.
INSERT INTO lease (name, holder, fence, expires_at)
SELECT value ->> 0, $2, 1, $4 + $3 FROM json_each($1) WHERE true
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, expires_at = excluded.expires_at,
    fence = lease.fence + (lease.holder <> excluded.holder)
WHERE lease.holder = excluded.holder OR lease.expires_at < $4
RETURNING name, fence
