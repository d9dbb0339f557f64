-- Adds to the numbers of shelves, or takes away; the table's constraints refuse what cannot be.
-- Locks in SKU order first, as in reserve.sql.
WITH locked AS MATERIALIZED (
    SELECT sku FROM stock WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE
)
UPDATE stock
SET on_hand = stock.on_hand + change.on_hand,
    reserved = stock.reserved + change.reserved,
    shipped = stock.shipped + change.shipped,
    returned = stock.returned + change.returned,
    version = stock.version + 1
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
     AS change (sku, on_hand, reserved, shipped, returned)
WHERE (SELECT count(*) FROM locked) >= 0 AND stock.sku = change.sku
