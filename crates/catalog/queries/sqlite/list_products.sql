-- No SKU is empty, so the empty text comes before the first one.
SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active,
       p.revision, p.updated_at
FROM product p
WHERE p.sku > coalesce($1, '')
ORDER BY p.sku
LIMIT $2
