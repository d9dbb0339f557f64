DELETE FROM session
WHERE id IN (SELECT old.id FROM unnest($1::uuid[]) AS old (id))
