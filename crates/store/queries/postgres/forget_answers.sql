DELETE FROM answer
WHERE ctid = ANY (ARRAY(SELECT ctid FROM answer WHERE created_at < $1 LIMIT $2))
