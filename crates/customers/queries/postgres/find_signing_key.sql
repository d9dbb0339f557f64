SELECT secret
FROM signing_key
WHERE name = 'access'
