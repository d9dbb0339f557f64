DELETE FROM refresh_token
WHERE session_id IN (SELECT unhex(old.value ->> 0) FROM json_each($1) AS old)
