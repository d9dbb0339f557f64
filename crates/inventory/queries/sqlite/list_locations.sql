-- In the order in which goods leave, with the main location among them.
SELECT name, rank
FROM (
    SELECT 'main' AS name, 0 AS rank
    UNION ALL
    SELECT name, rank FROM stock_location
)
WHERE (rank, name) > ($1, $2)
ORDER BY rank, name
LIMIT $3
