-- One writer at a time, and no rule is ever deleted: the next revision is the highest plus one.
INSERT INTO price_rule AS old (kind, id, definition, revision, updated_at)
SELECT new.value ->> 0, new.value ->> 1, new.value ->> 2,
       (SELECT coalesce(max(revision), 0) FROM price_rule) + 1 + new.key, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (kind, id) DO UPDATE
SET definition = excluded.definition, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE old.definition <> excluded.definition
