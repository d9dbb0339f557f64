SELECT sku, on_hand, reserved, version FROM stock WHERE sku = $1
