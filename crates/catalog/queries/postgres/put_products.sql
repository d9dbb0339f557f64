-- Writers take turns, and a turn lasts until commit: so the order of the revisions is the order of
-- the commits, and whoever has seen revision n never finds a smaller one later.
WITH turn AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(7462, 0)
), granted AS MATERIALIZED (
    SELECT count(*) AS n FROM turn
)
INSERT INTO product AS old (sku, name, category, unit_amount, currency, active, revision, updated_at)
SELECT new.sku, new.name, new.category, new.unit_amount, new.currency, new.active <> 0,
       nextval('product_revision_seq'), $7::timestamptz
FROM granted,
     unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[])
         AS new (sku, name, category, unit_amount, currency, active)
WHERE granted.n > 0
ON CONFLICT (sku) DO UPDATE
SET name = excluded.name, category = excluded.category, unit_amount = excluded.unit_amount,
    currency = excluded.currency, active = excluded.active, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE (old.name, old.category, old.unit_amount, old.currency, old.active)
   <> (excluded.name, excluded.category, excluded.unit_amount, excluded.currency, excluded.active)
