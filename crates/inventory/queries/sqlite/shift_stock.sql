-- Adds to the numbers of shelves, or takes away; the table's constraints refuse what cannot be.
UPDATE stock
SET on_hand = stock.on_hand + change.on_hand,
    reserved = stock.reserved + change.reserved,
    shipped = stock.shipped + change.shipped,
    returned = stock.returned + change.returned,
    version = stock.version + 1
FROM (
    SELECT value ->> 0 AS sku, value ->> 1 AS on_hand, value ->> 2 AS reserved,
           value ->> 3 AS shipped, value ->> 4 AS returned
    FROM json_each($1)
) AS change
WHERE stock.sku = change.sku
