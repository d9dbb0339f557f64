SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active::int::bigint AS active,
       p.revision, p.updated_at
FROM unnest($1::text[]) AS wanted (sku)
JOIN product p ON p.sku = wanted.sku
