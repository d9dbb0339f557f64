INSERT INTO flag_change (id, key, at, actor, old, new)
VALUES ($1, $2, $3, $4, $5, $6)
