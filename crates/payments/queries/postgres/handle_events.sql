UPDATE provider_event
SET handled_at = $2
WHERE id = ANY ($1::text[]) AND handled_at IS NULL
