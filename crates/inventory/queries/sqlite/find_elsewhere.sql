-- What lies at other locations than the main one.
SELECT there.sku, there.location, place.rank, there.on_hand
FROM stock_at AS there
JOIN stock_location AS place ON place.name = there.location
WHERE there.sku IN (SELECT value ->> 0 FROM json_each($1))
