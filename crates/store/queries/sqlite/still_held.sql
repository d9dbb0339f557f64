SELECT fence FROM lease WHERE name = $1 AND holder = $2 AND fence = $3 AND expires_at >= $4
