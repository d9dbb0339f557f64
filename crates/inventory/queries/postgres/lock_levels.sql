-- The levels of these SKUs, held until the transaction ends, locked in SKU order.
SELECT sku, on_hand, reserved, version
FROM stock
WHERE sku = ANY ($1::text[])
ORDER BY sku
FOR UPDATE
