-- In the order in which goods leave, with the main location among them.
SELECT name, rank
FROM (
    SELECT 'main' COLLATE "C", 0::bigint
    UNION ALL
    SELECT name, rank FROM stock_location
) AS place (name, rank)
WHERE (rank, name) > ($1, $2)
ORDER BY rank, name
LIMIT $3
