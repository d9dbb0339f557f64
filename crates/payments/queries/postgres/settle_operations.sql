-- Only an operation that is open takes an outcome: of two settlers the second gets no row.
UPDATE payment_operation
SET status = known.status, provider_ref = known.provider_ref, refusal_code = known.refusal_code,
    updated_at = $5
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
     AS known (id, status, provider_ref, refusal_code)
WHERE payment_operation.id = known.id AND payment_operation.status = 'open'
RETURNING payment_operation.id
