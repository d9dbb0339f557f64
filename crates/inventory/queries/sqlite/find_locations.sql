SELECT name, rank FROM stock_location WHERE name IN (SELECT value ->> 0 FROM json_each($1))
