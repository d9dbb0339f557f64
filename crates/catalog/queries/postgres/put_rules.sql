-- Writers take turns until they commit, as in put_products: so the order of the revisions is the
-- order of the commits.
WITH turn AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(7462, 0)
), granted AS MATERIALIZED (
    SELECT count(*) AS n FROM turn
)
INSERT INTO price_rule AS old (kind, id, definition, revision, updated_at)
SELECT new.kind, new.id, new.definition::json, nextval('price_revision_seq'), $4::timestamptz
FROM granted, unnest($1::text[], $2::text[], $3::text[]) AS new (kind, id, definition)
WHERE granted.n > 0
ON CONFLICT (kind, id) DO UPDATE
SET definition = excluded.definition, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE old.definition::text <> excluded.definition::text
