SELECT p.price_list, p.sku, p.unit_amount, p.revision
FROM list_price p
WHERE p.revision > $1
ORDER BY p.revision
LIMIT $2
