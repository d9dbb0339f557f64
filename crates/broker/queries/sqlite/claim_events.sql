UPDATE consumer_position
SET claimed = $3, tries = $4
WHERE consumer = $1 AND partition = $2
