-- Only an attempt whose outcome is open takes one; what is settled stays.
UPDATE payment
SET status = known.status, provider_ref = known.provider_ref, decline_code = known.decline_code,
    updated_at = $5
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
     AS known (id, status, provider_ref, decline_code)
WHERE payment.id = known.id AND payment.status = 'sending'
