-- There is one writer at a time.
SELECT 1 AS locked
