-- Whoever is erased orders nothing any more.
SELECT c.id, c.default_payment_method
FROM json_each($1) AS wanted
JOIN customer c ON c.id = unhex(wanted.value ->> 0)
WHERE c.erased_at IS NULL
