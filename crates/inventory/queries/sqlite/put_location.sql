INSERT INTO stock_location (name, rank, created_at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET rank = excluded.rank
RETURNING name, rank
