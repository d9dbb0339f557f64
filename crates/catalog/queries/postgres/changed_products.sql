SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active::int::bigint AS active,
       p.revision, p.updated_at
FROM product p
WHERE p.revision > $1::bigint
ORDER BY p.revision
LIMIT $2::bigint
