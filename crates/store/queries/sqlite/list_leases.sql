SELECT name, holder, fence, expires_at >= $2 AS is_live
FROM lease
WHERE substr(name, 1, length($1)) = $1
ORDER BY name
