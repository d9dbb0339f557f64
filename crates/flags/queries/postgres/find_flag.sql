SELECT f.definition::text AS definition, f.file_definition::text AS file_definition
FROM flag f
WHERE f.key = $1::text
