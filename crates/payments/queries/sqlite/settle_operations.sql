-- Only an operation that is open takes an outcome: of two settlers the second gets no row.
UPDATE payment_operation
SET status = known.status, provider_ref = known.provider_ref, refusal_code = known.refusal_code,
    updated_at = $2
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS status, value ->> 2 AS provider_ref,
             value ->> 3 AS refusal_code
      FROM json_each($1)) AS known
WHERE payment_operation.id = known.id AND payment_operation.status = 'open'
RETURNING id
