INSERT INTO flag AS old (key, definition, file_definition, revision, updated_by, updated_at)
VALUES ($1, $2, $3, (SELECT coalesce(max(revision), 0) FROM flag) + 1, $4, $5)
ON CONFLICT (key) DO UPDATE
SET definition = excluded.definition,
    file_definition = coalesce(excluded.file_definition, old.file_definition),
    revision = excluded.revision, updated_by = excluded.updated_by,
    updated_at = excluded.updated_at
