SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active, p.revision, p.updated_at
FROM product p
WHERE p.revision > $1
ORDER BY p.revision
LIMIT $2
