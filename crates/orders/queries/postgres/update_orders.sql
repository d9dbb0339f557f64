-- Moves orders on by one version each. Whoever comes second with a version finds no row.
UPDATE orders
SET status = new.status, amount_authorized = new.authorized, amount_captured = new.captured,
    amount_refunded = new.refunded, payment = new.payment::json, goods = new.goods,
    updated_at = new.updated_at, version = new.version
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
            $7::timestamptz[], $8::bigint[], $9::text[])
     AS new (id, status, authorized, captured, refunded, payment, updated_at, version, goods)
WHERE orders.id = new.id AND orders.version = new.version - 1
RETURNING orders.id
