-- Moves orders that this transaction has locked on by one event each: all that an event can change.
UPDATE orders
SET status = new.status, amount_authorized = new.authorized, amount_captured = new.captured,
    amount_refunded = new.refunded, payment = new.payment::json, lines = new.lines::json,
    cancel_requested = new.cancel_requested, goods = new.goods, updated_at = new.updated_at,
    version = new.version
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::bigint[])
     AS new (id, status, authorized, captured, refunded, payment, lines, cancel_requested, goods,
             updated_at, version)
WHERE orders.id = new.id AND orders.version = new.version - 1
