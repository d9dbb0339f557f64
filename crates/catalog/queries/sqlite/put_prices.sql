-- One writer at a time, and no row is ever deleted: the next revision is the highest plus one. -1
-- takes a price off its list.
INSERT INTO list_price AS old (price_list, sku, unit_amount, revision, updated_at)
SELECT new.value ->> 0, new.value ->> 1, nullif(new.value ->> 2, -1),
       (SELECT coalesce(max(revision), 0) FROM list_price) + 1 + new.key, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (price_list, sku) DO UPDATE
SET unit_amount = excluded.unit_amount, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE old.unit_amount IS NOT excluded.unit_amount
