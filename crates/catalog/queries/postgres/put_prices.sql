-- Writers take turns until they commit, as in put_products. -1 takes a price off its list.
WITH turn AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(7462, 0)
), granted AS MATERIALIZED (
    SELECT count(*) AS n FROM turn
)
INSERT INTO list_price AS old (price_list, sku, unit_amount, revision, updated_at)
SELECT new.price_list, new.sku, nullif(new.unit_amount, -1), nextval('price_revision_seq'),
       $4::timestamptz
FROM granted, unnest($1::text[], $2::text[], $3::bigint[]) AS new (price_list, sku, unit_amount)
WHERE granted.n > 0
ON CONFLICT (price_list, sku) DO UPDATE
SET unit_amount = excluded.unit_amount, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE old.unit_amount IS DISTINCT FROM excluded.unit_amount
