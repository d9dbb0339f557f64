DELETE FROM lease WHERE substr(name, 1, length($1)) = $1 AND expires_at < $3 - $2
