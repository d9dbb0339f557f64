SELECT name, recipient, line1, line2, city, region, postal_code, country, updated_at
FROM customer_address
WHERE customer_id = $1::uuid
ORDER BY name
