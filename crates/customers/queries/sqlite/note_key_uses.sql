UPDATE api_key
SET last_used_at = new.value ->> 1
FROM json_each($1) AS new
WHERE api_key.id = unhex(new.value ->> 0)
  AND (api_key.last_used_at IS NULL OR api_key.last_used_at < new.value ->> 1)
