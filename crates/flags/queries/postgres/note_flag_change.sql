INSERT INTO flag_change (id, key, at, actor, old, new)
VALUES ($1::uuid, $2::text, $3::timestamptz, $4::text, $5::json, $6::json)
