-- How many others there are.
SELECT count(*) AS others
FROM customer_address
WHERE customer_id = $1 AND name <> $2
