-- Orders whose payment is not known although they were placed before $1.
SELECT count(*) AS orders FROM orders WHERE status = 'pending' AND created_at < $1
