UPDATE shipment
SET status = new.status
FROM (SELECT unhex(value ->> 0) AS order_id, value ->> 1 AS status FROM json_each($1)) AS new
WHERE shipment.order_id = new.order_id
