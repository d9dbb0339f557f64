SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active, p.revision, p.updated_at
FROM json_each($1) AS wanted
JOIN product p ON p.sku = wanted.value ->> 0
