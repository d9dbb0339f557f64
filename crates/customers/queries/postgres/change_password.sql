UPDATE account
SET password_hash = $3::text, password_changed_at = $4::timestamptz
WHERE id = $1::uuid AND password_hash = $2::text
