SELECT c.id, c.default_payment_method
FROM json_each($1) AS wanted
JOIN customer c ON c.id = unhex(wanted.value ->> 0)
