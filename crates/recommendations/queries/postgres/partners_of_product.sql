-- The next partners of a product after the place ($2 orders, SKU $3), most often together first.
SELECT pair.other, pair.orders, partner.orders AS other_orders,
       (SELECT orders FROM product_count WHERE sku = $1) AS sku_orders,
       (SELECT orders FROM product_count WHERE sku = '') AS all_orders
FROM pair_count AS pair
JOIN product_count AS partner ON partner.sku = pair.other
WHERE pair.sku = $1 AND (pair.orders < $2 OR (pair.orders = $2 AND pair.other > $3))
ORDER BY pair.orders DESC, pair.other
LIMIT $4
