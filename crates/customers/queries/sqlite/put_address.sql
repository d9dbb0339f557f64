INSERT INTO customer_address (customer_id, name, recipient, line1, line2, city, region, postal_code,
                              country, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
        $10)
ON CONFLICT (customer_id, name) DO UPDATE
SET recipient = excluded.recipient, line1 = excluded.line1, line2 = excluded.line2,
    city = excluded.city, region = excluded.region, postal_code = excluded.postal_code,
    country = excluded.country, updated_at = excluded.updated_at
