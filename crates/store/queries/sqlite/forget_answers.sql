-- Rows are in the order in which they were written: the oldest are looked at and no other.
DELETE FROM answer
WHERE created_at < $1 AND rowid IN (SELECT rowid FROM answer ORDER BY rowid LIMIT $2)
