INSERT INTO flag AS old (key, definition, file_definition, revision, updated_by, updated_at)
VALUES ($1::text, $2::json, $3::json, nextval('flag_revision_seq'), $4::text, $5::timestamptz)
ON CONFLICT (key) DO UPDATE
SET definition = excluded.definition,
    file_definition = coalesce(excluded.file_definition, old.file_definition),
    revision = excluded.revision, updated_by = excluded.updated_by,
    updated_at = excluded.updated_at
