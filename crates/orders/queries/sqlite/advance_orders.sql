-- Moves orders that this transaction has locked on by one event each: all that an event can change.
UPDATE orders
SET status = new.status, amount_authorized = new.authorized, amount_captured = new.captured,
    amount_refunded = new.refunded, payment = new.payment, lines = new.lines,
    cancel_requested = new.cancel_requested, goods = new.goods, updated_at = new.updated_at,
    version = new.version
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS status, value ->> 2 AS authorized,
             value ->> 3 AS captured, value ->> 4 AS refunded, value ->> 5 AS payment,
             value ->> 6 AS lines, value ->> 7 AS cancel_requested, value ->> 8 AS goods,
             value ->> 9 AS updated_at, value ->> 10 AS version
      FROM json_each($1)) AS new
WHERE orders.id = new.id AND orders.version = new.version - 1
