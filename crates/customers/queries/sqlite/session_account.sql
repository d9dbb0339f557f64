-- Whose session it is or was.
SELECT s.account_id FROM session s WHERE s.id = $1
