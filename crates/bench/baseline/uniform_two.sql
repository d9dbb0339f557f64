-- An order of three lines, one at a time, in two transactions, as the payment in between needs.
-- Three different SKUs, each from its own third, so that orders take locks in one order.
\set third :skus / 3
\set a random(1, :third)
\set b random(:third + 1, 2 * :third)
\set c random(2 * :third + 1, :skus)
\set key random(1, 9000000000000000000)
WITH taken AS (
    UPDATE stock SET reserved = reserved + 1, version = version + 1
    WHERE sku IN ('SKU-' || :a, 'SKU-' || :b, 'SKU-' || :c) AND on_hand - reserved >= 1
    RETURNING sku),
placed AS (
    INSERT INTO orders (idempotency_key, status, currency, amount_total, version)
    SELECT :client_id || '-' || :key, 'pending', 'USD', 300, 1
    WHERE (SELECT count(*) FROM taken) = 3
    RETURNING id),
lines AS (
    INSERT INTO order_line (order_id, number, sku, quantity, unit_amount)
    SELECT placed.id, row_number() OVER (), taken.sku, 1, 100 FROM placed, taken),
paying AS (
    INSERT INTO payment (order_id, amount, currency, method, status)
    SELECT id, 300, 'USD', 'pm_card_visa', 'sending' FROM placed)
INSERT INTO outbox (order_id, version, type, data)
SELECT id, 1, 'order.placed', '{"amount_total": 300, "currency": "USD", "lines": 3}'::json FROM placed
RETURNING order_id \gset
WITH confirmed AS (
    UPDATE orders SET status = 'confirmed', version = 2, updated_at = now()
    WHERE id = :order_id AND status = 'pending' AND version = 1
    RETURNING id),
paid AS (
    UPDATE payment
    SET status = 'captured', provider_ref = 'pi_0123456789', updated_at = now()
    FROM confirmed WHERE order_id = confirmed.id)
INSERT INTO outbox (order_id, version, type, data)
SELECT id, 2, 'order.confirmed', '{"amount_captured": 300, "provider_ref": "pi_0123456789"}'::json FROM confirmed;
