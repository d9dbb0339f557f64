DELETE FROM lease
WHERE starts_with(name, $1)
  AND expires_at < clock_timestamp() - $2::bigint * interval '1 microsecond'
  AND $3::timestamptz IS NOT NULL
