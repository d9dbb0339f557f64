DELETE FROM account
WHERE id = $1::uuid
