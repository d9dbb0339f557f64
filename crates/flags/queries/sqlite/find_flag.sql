SELECT f.definition, f.file_definition
FROM flag f
WHERE f.key = $1
