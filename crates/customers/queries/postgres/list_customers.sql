-- Newest first: the ids are UUIDv7, and none of those is as high as the one that stands for "from
-- the newest on".
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version
FROM customer c
WHERE c.id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') AND c.erased_at IS NULL
ORDER BY c.id DESC
LIMIT $2::bigint
