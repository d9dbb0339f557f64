-- In the order of the ids, so that two nodes wait for each other instead of deadlocking.
WITH used AS (
    SELECT k.id, new.at
    FROM unnest($1::uuid[], $2::timestamptz[]) AS new (id, at)
    JOIN api_key k ON k.id = new.id
    WHERE k.last_used_at IS NULL OR k.last_used_at < new.at
    ORDER BY k.id
    FOR UPDATE OF k
)
UPDATE api_key
SET last_used_at = used.at
FROM used
WHERE api_key.id = used.id
