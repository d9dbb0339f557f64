-- No SKU is empty, so the empty text comes before the first one.
SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active::int::bigint AS active,
       p.revision, p.updated_at
FROM product p
WHERE p.sku > coalesce($1::text, '')
ORDER BY p.sku
LIMIT $2::bigint
