-- The next partners of a product after the place ($2 orders, SKU $3), most often together first.
-- Every count is of the baskets after `since`: after the ($5 + 1)th latest with the product, or all
-- if there are not so many.
WITH since AS MATERIALIZED (
    SELECT coalesce((
        SELECT basket_id FROM basket_item WHERE sku = $1
        ORDER BY basket_id DESC LIMIT 1 OFFSET $5
    ), 0) AS id
), page AS MATERIALIZED (
    SELECT other.sku COLLATE "C" AS partner, count(*) AS orders
    FROM basket_item AS mine
    JOIN basket ON basket.id = mine.basket_id
    CROSS JOIN LATERAL json_array_elements_text(basket.skus) AS other (sku)
    WHERE mine.sku = $1 AND mine.basket_id > (SELECT id FROM since) AND other.sku <> $1
    GROUP BY other.sku COLLATE "C"
    HAVING count(*) < $2 OR (count(*) = $2 AND other.sku COLLATE "C" > $3)
    ORDER BY orders DESC, partner
    LIMIT $4
)
SELECT page.partner, page.orders,
       (SELECT count(*) FROM basket_item AS theirs
        WHERE theirs.sku = page.partner
          AND theirs.basket_id > (SELECT id FROM since)) AS partner_orders,
       (SELECT count(*) FROM basket_item AS mine
        WHERE mine.sku = $1 AND mine.basket_id > (SELECT id FROM since)) AS sku_orders,
       (SELECT count(*) FROM basket WHERE basket.id > (SELECT id FROM since)) AS all_orders
FROM page
ORDER BY page.orders DESC, page.partner
