SELECT count(*) AS orders FROM basket
