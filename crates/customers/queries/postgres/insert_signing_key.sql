INSERT INTO signing_key (name, secret, created_at)
VALUES ('access', $1::bytea, $2::timestamptz)
ON CONFLICT (name) DO NOTHING
