-- The row stays locked until the transaction ends: whoever wants to take it over waits.
SELECT fence
FROM lease
WHERE name = $1 AND holder = $2 AND fence = $3 AND expires_at >= clock_timestamp()
  AND $4::timestamptz IS NOT NULL
FOR SHARE
