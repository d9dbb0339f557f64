DELETE FROM refresh_token
WHERE session_id IN (SELECT old.id FROM unnest($1::uuid[]) AS old (id))
