-- Only an attempt whose outcome is open takes one; what is settled stays.
UPDATE payment
SET status = known.status, provider_ref = known.provider_ref, decline_code = known.decline_code,
    updated_at = $2
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS status, value ->> 2 AS provider_ref,
             value ->> 3 AS decline_code
      FROM json_each($1)) AS known
WHERE payment.id = known.id AND payment.status = 'sending'
