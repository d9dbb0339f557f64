-- The level with a row per other location; one statement, so all of one moment.
SELECT level.sku, level.on_hand, level.reserved, level.version,
       there.location, place.rank, there.on_hand AS units
FROM stock AS level
LEFT JOIN stock_at AS there ON there.sku = level.sku
LEFT JOIN stock_location AS place ON place.name = there.location
WHERE level.sku = $1
