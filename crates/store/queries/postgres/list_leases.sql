SELECT name, holder, fence, (expires_at >= clock_timestamp())::int::bigint AS is_live
FROM lease
WHERE starts_with(name, $1) AND $2::timestamptz IS NOT NULL
ORDER BY name
