SELECT sku, on_hand, reserved, version
FROM stock
WHERE sku IN (SELECT value ->> 0 FROM json_each($1))
ORDER BY sku
