SELECT count(*) AS shipments FROM shipment
