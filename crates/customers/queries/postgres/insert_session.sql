INSERT INTO session (id, account_id, created_at, expires_at)
VALUES ($1::uuid, $2::uuid, $3::timestamptz, $4::timestamptz)
