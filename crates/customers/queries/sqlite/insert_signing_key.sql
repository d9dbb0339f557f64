INSERT INTO signing_key (name, secret, created_at)
VALUES ('access', $1, $2)
ON CONFLICT (name) DO NOTHING
