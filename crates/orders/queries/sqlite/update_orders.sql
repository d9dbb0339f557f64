-- Moves orders on by one version each. Whoever comes second with a version finds no row.
UPDATE orders
SET status = new.status, amount_authorized = new.authorized, amount_captured = new.captured,
    amount_refunded = new.refunded, payment = new.payment, goods = new.goods,
    updated_at = new.updated_at, version = new.version
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS status, value ->> 2 AS authorized,
             value ->> 3 AS captured, value ->> 4 AS refunded, value ->> 5 AS payment,
             value ->> 6 AS updated_at, value ->> 7 AS version,
             value ->> 8 AS goods
      FROM json_each($1)) AS new
WHERE orders.id = new.id AND orders.version = new.version - 1
RETURNING id
