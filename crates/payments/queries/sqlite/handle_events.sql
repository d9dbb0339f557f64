UPDATE provider_event
SET handled_at = $2
WHERE id IN (SELECT value ->> 0 FROM json_each($1)) AND handled_at IS NULL
