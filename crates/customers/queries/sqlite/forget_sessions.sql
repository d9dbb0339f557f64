DELETE FROM session
WHERE id IN (SELECT unhex(old.value ->> 0) FROM json_each($1) AS old)
