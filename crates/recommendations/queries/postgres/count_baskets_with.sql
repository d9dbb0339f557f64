SELECT count(*) AS orders FROM basket_item WHERE sku = $1
