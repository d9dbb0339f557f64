-- One writer at a time, and no product is ever deleted: the next revision is the highest plus one.
INSERT INTO product AS old (sku, name, category, unit_amount, currency, active, revision, updated_at)
SELECT new.value ->> 0, new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4,
       new.value ->> 5,
       (SELECT coalesce(max(revision), 0) FROM product) + 1 + new.key, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (sku) DO UPDATE
SET name = excluded.name, category = excluded.category, unit_amount = excluded.unit_amount,
    currency = excluded.currency, active = excluded.active, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE (old.name, old.category, old.unit_amount, old.currency, old.active)
   <> (excluded.name, excluded.category, excluded.unit_amount, excluded.currency, excluded.active)
