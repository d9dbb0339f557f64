-- The intent is written before the provider is asked (rule D2).
INSERT INTO payment (id, order_id, amount, currency, capture, method, status, created_at, updated_at)
SELECT new.id, new.order_id, new.amount, new.currency, new.capture, new.method, 'sending', $7, $7
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[])
     AS new (id, order_id, amount, currency, capture, method)
