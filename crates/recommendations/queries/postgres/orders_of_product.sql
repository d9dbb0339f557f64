SELECT orders FROM product_count WHERE sku = $1
