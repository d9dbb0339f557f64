-- An order of three lines, all of the same SKU, one at a time, in one statement and so one transaction: as if the money
-- could be taken within it.
\set key random(1, 9000000000000000000)
WITH taken AS (
    UPDATE stock SET reserved = reserved + 3, version = version + 1
    WHERE sku = 'SKU-1' AND on_hand - reserved >= 3
    RETURNING sku),
placed AS (
    INSERT INTO orders (idempotency_key, status, currency, amount_total, version)
    SELECT :client_id || '-' || :key, 'confirmed', 'USD', 300, 2
    WHERE (SELECT count(*) FROM taken) = 1
    RETURNING id),
lines AS (
    INSERT INTO order_line (order_id, number, sku, quantity, unit_amount)
    SELECT placed.id, line.number, taken.sku, 1, 100
    FROM placed, taken, generate_series(1, 3) AS line (number)),
paid AS (
    INSERT INTO payment (order_id, amount, currency, method, status, provider_ref)
    SELECT id, 300, 'USD', 'pm_card_visa', 'captured', 'pi_0123456789' FROM placed)
INSERT INTO outbox (order_id, version, type, data)
SELECT id, event.version, event.type, event.data
FROM placed, (VALUES
    (1, 'order.placed', '{"amount_total": 300, "currency": "USD", "lines": 3}'::json),
    (2, 'order.confirmed', '{"amount_captured": 300, "provider_ref": "pi_0123456789"}'::json)
) AS event (version, type, data);
