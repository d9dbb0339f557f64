DELETE FROM parked_event
WHERE consumer = $1 AND order_id = $2 AND version = $3 AND attempts = $4
