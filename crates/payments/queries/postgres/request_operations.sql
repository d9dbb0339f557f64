-- Written with the event that asks for them, before the provider is asked (rule D2).
INSERT INTO payment_operation
       (id, order_id, payment_id, leg, kind, amount, currency, status, created_at, updated_at)
SELECT new.id, new.order_id, new.payment_id, new.leg, new.kind, new.amount, new.currency, 'open',
       $8, $8
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[], $7::text[])
     AS new (id, order_id, payment_id, leg, kind, amount, currency)
