-- No SKU is empty, so the empty text comes before the first one.
SELECT p.sku, p.unit_amount, p.updated_at
FROM list_price p
WHERE p.price_list = $1 AND p.sku > coalesce($2, '') AND p.unit_amount IS NOT NULL
ORDER BY p.sku
LIMIT $3
