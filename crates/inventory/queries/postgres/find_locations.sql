SELECT name, rank FROM stock_location WHERE name = ANY ($1::text[])
