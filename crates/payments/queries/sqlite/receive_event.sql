-- The provider sends an event until it is taken, and sometimes more often: once counts.
INSERT INTO provider_event (id, type, order_id, received_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO NOTHING
