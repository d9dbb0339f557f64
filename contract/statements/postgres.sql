---- broker/advance_positions.sql
UPDATE consumer_position AS position
SET seq = moved.seq
FROM unnest($1::bigint[], $2::bigint[]) AS moved (partition, seq)
WHERE position.consumer = $3 AND position.partition = moved.partition
---- broker/blocked_orders.sql
-- Which of these orders have an event parked already: later events must queue behind it. A
-- statement of its own, after the lock, so that it sees what the last holder of the lock wrote.
SELECT DISTINCT parked.order_id
FROM unnest($1::uuid[]) AS wanted (order_id)
JOIN parked_event AS parked ON parked.consumer = $2 AND parked.order_id = wanted.order_id
---- broker/claim_events.sql
UPDATE consumer_position
SET claimed = $3, tries = $4
WHERE consumer = $1 AND partition = $2
---- broker/dead_letters.sql
SELECT parked.consumer, parked.order_id, parked.version, event.type,
       CAST(parked.partition AS bigint) AS partition, parked.seq, parked.attempts,
       parked.dead_since, parked.last_error
FROM parked_event AS parked
JOIN event ON event.order_id = parked.order_id AND event.version = parked.version
WHERE parked.dead_since IS NOT NULL
  AND ($1::timestamptz IS NULL
       OR (parked.dead_since, parked.consumer, parked.order_id) > ($1, $2::text, $3::uuid))
ORDER BY parked.dead_since, parked.consumer, parked.order_id
LIMIT $4::bigint
---- broker/due_parked_event.sql
-- Only the first parked event of an order has a moment that comes; the others wait behind it.
SELECT order_id, version, seq, attempts, last_error
FROM parked_event
WHERE consumer = $1 AND partition = $2 AND dead_since IS NULL AND next_attempt_at <= $3
ORDER BY next_attempt_at, order_id
LIMIT 1
---- broker/events_ahead.sql
-- How many events come after a place of each partition, counted no further than $3.
SELECT place.partition,
       (SELECT count(*) FROM (
            SELECT 1 FROM event
            WHERE event.partition = place.partition::smallint AND event.seq > place.seq
            LIMIT $3
        ) AS ahead) AS events
FROM unnest($1::bigint[], $2::bigint[]) AS place (partition, seq)
---- broker/find_due.sql
SELECT position.consumer, CAST(position.partition AS bigint) AS partition,
       CASE WHEN EXISTS (
           SELECT 1 FROM event
           WHERE event.partition = position.partition AND event.seq > position.seq
       ) THEN 1::bigint ELSE 0 END AS events,
       CASE WHEN EXISTS (
           SELECT 1 FROM parked_event AS parked
           WHERE parked.consumer = position.consumer AND parked.partition = position.partition
             AND parked.dead_since IS NULL AND parked.next_attempt_at <= $1
       ) THEN 1::bigint ELSE 0 END AS parked
FROM consumer_position AS position
---- broker/judge_parked_event.sql
-- Fenced by the number of attempts: of two nodes that begin or end the same attempt, one counts it.
UPDATE parked_event
SET attempts = $5, next_attempt_at = $6, dead_since = $7, last_error = $8
WHERE consumer = $1 AND order_id = $2 AND version = $3 AND attempts = $4 AND dead_since IS NULL
---- broker/lag.sql
SELECT position.consumer,
       CAST(sum((
           SELECT count(*) FROM event
           WHERE event.partition = position.partition AND event.seq > position.seq
       )) AS bigint) AS behind,
       min((
           SELECT event.at FROM event
           WHERE event.partition = position.partition AND event.seq > position.seq
           ORDER BY event.seq LIMIT 1
       )) AS oldest_at,
       (SELECT count(*) FROM parked_event AS parked
        WHERE parked.consumer = position.consumer AND parked.dead_since IS NULL) AS parked,
       (SELECT count(*) FROM parked_event AS parked
        WHERE parked.consumer = position.consumer AND parked.dead_since IS NOT NULL) AS dead
FROM consumer_position AS position
GROUP BY position.consumer
ORDER BY position.consumer
---- broker/lock_positions.sql
-- A partition whose row another node holds is passed over: its events are in hand already.
SELECT CAST(partition AS bigint) AS partition, seq, claimed, tries
FROM consumer_position
WHERE consumer = $2 AND partition = ANY ($1::bigint[])
ORDER BY partition
FOR UPDATE SKIP LOCKED
---- broker/log_ends.sql
-- The last place of each partition that can be seen, 0 where there is none.
SELECT place.partition,
       coalesce((SELECT max(seq) FROM event
                 WHERE event.partition = place.partition::smallint), 0) AS seq
FROM unnest($1::bigint[]) AS place (partition)
---- broker/open_positions.sql
INSERT INTO consumer_position (consumer, partition, seq)
SELECT $2, partition::smallint, 0
FROM unnest($1::bigint[]) AS partition
ORDER BY partition
ON CONFLICT (consumer, partition) DO NOTHING
---- broker/park_events.sql
INSERT INTO parked_event (consumer, order_id, version, partition, seq, attempts, next_attempt_at,
                          dead_since, last_error)
SELECT $9, new.order_id, new.version, new.partition::smallint, new.seq, new.attempts,
       new.next_attempt_at, new.dead_since, new.last_error
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::timestamptz[], $7::timestamptz[], $8::text[])
     AS new (order_id, version, partition, seq, attempts, next_attempt_at, dead_since, last_error)
---- broker/redrive.sql
UPDATE parked_event
SET attempts = 0, next_attempt_at = $3, dead_since = NULL
WHERE consumer = $1 AND order_id = $2 AND dead_since IS NOT NULL
---- broker/redrive_oldest.sql
UPDATE parked_event
SET attempts = 0, next_attempt_at = $3, dead_since = NULL
WHERE dead_since IS NOT NULL AND (consumer, order_id, version) IN (
    SELECT consumer, order_id, version FROM parked_event
    WHERE dead_since IS NOT NULL AND ($1::text IS NULL OR consumer = $1)
    ORDER BY dead_since, consumer, order_id
    LIMIT $2::bigint
)
---- broker/release_next_parked.sql
-- The first of those that still wait is next.
UPDATE parked_event
SET next_attempt_at = $3
WHERE consumer = $1 AND order_id = $2
  AND version = (SELECT min(version) FROM parked_event WHERE consumer = $1 AND order_id = $2)
---- broker/unpark_event.sql
DELETE FROM parked_event
WHERE consumer = $1 AND order_id = $2 AND version = $3 AND attempts = $4
---- catalog/catalogue_marks.sql
-- The latest change of each kind: one question tells whether there is anything to be read.
SELECT coalesce((SELECT max(p.revision) FROM product p), 0) AS products,
       coalesce((SELECT max(r.revision) FROM price_rule r), 0) AS rules,
       coalesce((SELECT max(l.revision) FROM list_price l), 0) AS prices
---- catalog/changed_prices.sql
SELECT p.price_list, p.sku, p.unit_amount, p.revision
FROM list_price p
WHERE p.revision > $1::bigint
ORDER BY p.revision
LIMIT $2::bigint
---- catalog/changed_products.sql
SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active::int::bigint AS active,
       p.revision, p.updated_at
FROM product p
WHERE p.revision > $1::bigint
ORDER BY p.revision
LIMIT $2::bigint
---- catalog/changed_rules.sql
SELECT r.kind, r.id, r.definition::text AS definition, r.revision, r.updated_at
FROM price_rule r
WHERE r.revision > $1::bigint
ORDER BY r.revision
LIMIT $2::bigint
---- catalog/count_coupons.sql
UPDATE coupon_count AS old
SET used = old.used + more.used
FROM unnest($1::text[], $2::bigint[]) AS more (coupon, used)
WHERE old.coupon = more.coupon
---- catalog/count_coupons_of_customers.sql
SELECT u.coupon, u.customer_id, count(*) AS used
FROM unnest($1::text[], $2::uuid[]) AS wanted (coupon, customer_id)
JOIN coupon_use u ON u.coupon = wanted.coupon AND u.customer_id = wanted.customer_id
WHERE u.released_at IS NULL
GROUP BY u.coupon, u.customer_id
---- catalog/coupons_used.sql
SELECT c.coupon, c.used
FROM unnest($1::text[]) AS wanted (coupon)
JOIN coupon_count c ON c.coupon = wanted.coupon
---- catalog/find_products.sql
SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active::int::bigint AS active,
       p.revision, p.updated_at
FROM unnest($1::text[]) AS wanted (sku)
JOIN product p ON p.sku = wanted.sku
---- catalog/give_coupons_back.sql
UPDATE coupon_use AS used
SET released_at = $2::timestamptz
FROM unnest($1::uuid[]) AS ended (order_id)
WHERE used.order_id = ended.order_id AND used.released_at IS NULL
RETURNING used.coupon
---- catalog/list_products.sql
-- No SKU is empty, so the empty text comes before the first one.
SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active::int::bigint AS active,
       p.revision, p.updated_at
FROM product p
WHERE p.sku > coalesce($1::text, '')
ORDER BY p.sku
LIMIT $2::bigint
---- catalog/lock_coupons.sql
-- The row of each coupon, made where there is none, held until the transaction ends. In the order of
-- the codes, so that two transactions do not wait for each other in a circle.
INSERT INTO coupon_count AS old (coupon, used)
SELECT wanted.coupon, 0
FROM unnest($1::text[]) AS wanted (coupon)
ORDER BY wanted.coupon COLLATE "C"
ON CONFLICT (coupon) DO UPDATE SET used = old.used
RETURNING coupon, used
---- catalog/prices_on_list.sql
-- No SKU is empty, so the empty text comes before the first one.
SELECT p.sku, p.unit_amount, p.updated_at
FROM list_price p
WHERE p.price_list = $1::text AND p.sku > coalesce($2::text, '') AND p.unit_amount IS NOT NULL
ORDER BY p.sku
LIMIT $3::bigint
---- catalog/put_prices.sql
-- Writers take turns until they commit, as in put_products. -1 takes a price off its list.
WITH turn AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(7462, 0)
), granted AS MATERIALIZED (
    SELECT count(*) AS n FROM turn
)
INSERT INTO list_price AS old (price_list, sku, unit_amount, revision, updated_at)
SELECT new.price_list, new.sku, nullif(new.unit_amount, -1), nextval('price_revision_seq'),
       $4::timestamptz
FROM granted, unnest($1::text[], $2::text[], $3::bigint[]) AS new (price_list, sku, unit_amount)
WHERE granted.n > 0
ON CONFLICT (price_list, sku) DO UPDATE
SET unit_amount = excluded.unit_amount, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE old.unit_amount IS DISTINCT FROM excluded.unit_amount
---- catalog/put_products.sql
-- Writers take turns, and a turn lasts until commit: so the order of the revisions is the order of
-- the commits, and whoever has seen revision n never finds a smaller one later.
WITH turn AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(7462, 0)
), granted AS MATERIALIZED (
    SELECT count(*) AS n FROM turn
)
INSERT INTO product AS old (sku, name, category, unit_amount, currency, active, revision, updated_at)
SELECT new.sku, new.name, new.category, new.unit_amount, new.currency, new.active <> 0,
       nextval('product_revision_seq'), $7::timestamptz
FROM granted,
     unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[])
         AS new (sku, name, category, unit_amount, currency, active)
WHERE granted.n > 0
ON CONFLICT (sku) DO UPDATE
SET name = excluded.name, category = excluded.category, unit_amount = excluded.unit_amount,
    currency = excluded.currency, active = excluded.active, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE (old.name, old.category, old.unit_amount, old.currency, old.active)
   <> (excluded.name, excluded.category, excluded.unit_amount, excluded.currency, excluded.active)
---- catalog/put_rules.sql
-- Writers take turns until they commit, as in put_products: so the order of the revisions is the
-- order of the commits.
WITH turn AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(7462, 0)
), granted AS MATERIALIZED (
    SELECT count(*) AS n FROM turn
)
INSERT INTO price_rule AS old (kind, id, definition, revision, updated_at)
SELECT new.kind, new.id, new.definition::json, nextval('price_revision_seq'), $4::timestamptz
FROM granted, unnest($1::text[], $2::text[], $3::text[]) AS new (kind, id, definition)
WHERE granted.n > 0
ON CONFLICT (kind, id) DO UPDATE
SET definition = excluded.definition, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE old.definition::text <> excluded.definition::text
---- catalog/use_coupons.sql
INSERT INTO coupon_use (order_id, coupon, customer_id, used_at)
SELECT new.order_id, new.coupon, new.customer_id, $4::timestamptz
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS new (order_id, coupon, customer_id)
---- customers/change_customer.sql
UPDATE customer
SET name = $3::text, email = $4::text, default_payment_method = $5::text,
    updated_at = $6::timestamptz, version = version + 1
WHERE id = $1::uuid AND version = $2::bigint AND erased_at IS NULL
---- customers/change_password.sql
UPDATE account
SET password_hash = $3::text, password_changed_at = $4::timestamptz
WHERE id = $1::uuid AND password_hash = $2::text
---- customers/count_addresses.sql
-- How many others there are.
SELECT count(*) AS others
FROM customer_address
WHERE customer_id = $1::uuid AND name <> $2::text
---- customers/crowd_out_sessions.sql
-- The oldest of an account that has more than so many.
UPDATE session
SET ended_at = $3::timestamptz, ended_why = 'crowded_out'
WHERE account_id = $1::uuid AND ended_at IS NULL
  AND id NOT IN (
      SELECT s.id
      FROM session s
      WHERE s.account_id = $1::uuid AND s.ended_at IS NULL
      ORDER BY s.id DESC
      LIMIT $2::bigint
  )
RETURNING id
---- customers/delete_account.sql
DELETE FROM account
WHERE id = $1::uuid
---- customers/delete_address.sql
DELETE FROM customer_address
WHERE customer_id = $1::uuid AND name = $2::text
---- customers/delete_addresses.sql
DELETE FROM customer_address
WHERE customer_id = $1::uuid
---- customers/delete_refresh_tokens.sql
DELETE FROM refresh_token
WHERE session_id IN (SELECT s.id FROM session s WHERE s.account_id = $1::uuid)
---- customers/delete_sessions.sql
DELETE FROM session
WHERE account_id = $1::uuid
RETURNING id
---- customers/end_session.sql
UPDATE session
SET ended_at = $2::timestamptz, ended_why = $3::text
WHERE id = $1::uuid AND ended_at IS NULL
---- customers/end_sessions.sql
UPDATE session
SET ended_at = $2::timestamptz, ended_why = $3::text
WHERE account_id = $1::uuid AND ended_at IS NULL
RETURNING id
---- customers/erase_customer.sql
UPDATE customer
SET external_ref = NULL, name = '', email = NULL, default_payment_method = NULL,
    updated_at = $2::timestamptz, erased_at = $2::timestamptz, version = version + 1
WHERE id = $1::uuid AND erased_at IS NULL
---- customers/expired_sessions.sql
-- Those that somebody else works on are left to the next time.
SELECT s.id
FROM session s
WHERE s.expires_at < $1::timestamptz
ORDER BY s.expires_at
LIMIT $2::bigint
FOR UPDATE SKIP LOCKED
---- customers/find_account.sql
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.id = $1::uuid
---- customers/find_account_by_email.sql
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.email = $1::text
---- customers/find_account_of_customer.sql
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.customer_id = $1::uuid
---- customers/find_customers.sql
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version
FROM unnest($1::uuid[]) AS wanted (id)
JOIN customer c ON c.id = wanted.id
WHERE c.erased_at IS NULL
---- customers/find_imported.sql
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version
FROM unnest($1::text[]) AS wanted (external_ref)
JOIN customer c ON c.external_ref = wanted.external_ref
---- customers/find_key.sql
SELECT id, name, scopes, created_at, (revoked_at IS NOT NULL)::int::bigint AS revoked, prefix, expires_at,
       last_used_at
FROM api_key
WHERE secret_hash = $1::bytea
---- customers/find_payers.sql
-- Whoever is erased orders nothing any more.
SELECT c.id, c.default_payment_method
FROM unnest($1::uuid[]) AS wanted (id)
JOIN customer c ON c.id = wanted.id
WHERE c.erased_at IS NULL
---- customers/find_refresh_token.sql
SELECT r.session_id
FROM refresh_token r
WHERE r.secret_hash = $1::bytea
---- customers/find_session.sql
-- Whose session it is, while it lasts.
SELECT s.expires_at, a.id, a.role, a.customer_id
FROM session s
JOIN account a ON a.id = s.account_id
WHERE s.id = $1::uuid AND s.ended_at IS NULL
---- customers/find_signing_key.sql
SELECT secret
FROM signing_key
WHERE name = 'access'
---- customers/forget_session_tokens.sql
DELETE FROM refresh_token
WHERE session_id IN (SELECT old.id FROM unnest($1::uuid[]) AS old (id))
---- customers/forget_sessions.sql
DELETE FROM session
WHERE id IN (SELECT old.id FROM unnest($1::uuid[]) AS old (id))
---- customers/get_key.sql
SELECT id, name, scopes, created_at, (revoked_at IS NOT NULL)::int::bigint AS revoked, prefix, expires_at,
       last_used_at
FROM api_key
WHERE id = $1::uuid
---- customers/insert_account.sql
INSERT INTO account (id, email, password_hash, role, customer_id, created_at, password_changed_at)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::uuid, $6::timestamptz, $6::timestamptz)
ON CONFLICT (email) DO NOTHING
---- customers/insert_customers.sql
-- A reference that is taken keeps its customer. In the order of the references, so that two
-- imports of the same file wait for each other instead of deadlocking.
INSERT INTO customer (id, external_ref, name, email, default_payment_method, created_at)
SELECT new.id, new.external_ref, new.name, new.email, new.default_payment_method, $6::timestamptz
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
         WITH ORDINALITY
         AS new (id, external_ref, name, email, default_payment_method, place)
ORDER BY new.external_ref COLLATE "C", new.place
ON CONFLICT (external_ref) DO NOTHING
---- customers/insert_key.sql
INSERT INTO api_key (id, name, secret_hash, scopes, created_at, prefix, expires_at)
VALUES ($1::uuid, $2::text, $3::bytea, $4::text, $5::timestamptz, $6::text, $7::timestamptz)
ON CONFLICT (secret_hash) DO NOTHING
---- customers/insert_refresh_token.sql
INSERT INTO refresh_token (secret_hash, session_id, created_at)
VALUES ($1::bytea, $2::uuid, $3::timestamptz)
---- customers/insert_session.sql
INSERT INTO session (id, account_id, created_at, expires_at)
VALUES ($1::uuid, $2::uuid, $3::timestamptz, $4::timestamptz)
---- customers/insert_signing_key.sql
INSERT INTO signing_key (name, secret, created_at)
VALUES ('access', $1::bytea, $2::timestamptz)
ON CONFLICT (name) DO NOTHING
---- customers/list_accounts.sql
-- Newest first, like the customers.
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY a.id DESC
LIMIT $2::bigint
---- customers/list_addresses.sql
SELECT name, recipient, line1, line2, city, region, postal_code, country, updated_at
FROM customer_address
WHERE customer_id = $1::uuid
ORDER BY name
---- customers/list_customers.sql
-- Newest first: the ids are UUIDv7, and none of those is as high as the one that stands for "from
-- the newest on".
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version
FROM customer c
WHERE c.id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') AND c.erased_at IS NULL
ORDER BY c.id DESC
LIMIT $2::bigint
---- customers/list_keys.sql
-- Newest first, like the customers.
SELECT id, name, scopes, created_at, (revoked_at IS NOT NULL)::int::bigint AS revoked, prefix, expires_at,
       last_used_at
FROM api_key
WHERE id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY id DESC
LIMIT $2::bigint
---- customers/lock_account.sql
-- Whatever changes the account or begins a session of it takes this lock first.
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.id = $1::uuid
FOR UPDATE
---- customers/lock_customer.sql
-- Whatever changes the customer or what is theirs takes this lock first.
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version,
       (c.erased_at IS NOT NULL)::int::bigint AS erased
FROM customer c
WHERE c.id = $1::uuid
FOR UPDATE
---- customers/lock_session.sql
-- After the account's lock, where both are taken.
SELECT s.id, s.account_id, s.expires_at, s.ended_why
FROM session s
WHERE s.id = $1::uuid
FOR UPDATE
---- customers/note_key_uses.sql
-- In the order of the ids, so that two nodes wait for each other instead of deadlocking.
WITH used AS (
    SELECT k.id, new.at
    FROM unnest($1::uuid[], $2::timestamptz[]) AS new (id, at)
    JOIN api_key k ON k.id = new.id
    WHERE k.last_used_at IS NULL OR k.last_used_at < new.at
    ORDER BY k.id
    FOR UPDATE OF k
)
UPDATE api_key
SET last_used_at = used.at
FROM used
WHERE api_key.id = used.id
---- customers/put_address.sql
INSERT INTO customer_address (customer_id, name, recipient, line1, line2, city, region, postal_code,
                              country, updated_at)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text,
        $10::timestamptz)
ON CONFLICT (customer_id, name) DO UPDATE
SET recipient = excluded.recipient, line1 = excluded.line1, line2 = excluded.line2,
    city = excluded.city, region = excluded.region, postal_code = excluded.postal_code,
    country = excluded.country, updated_at = excluded.updated_at
---- customers/revoke_key.sql
UPDATE api_key
SET revoked_at = $2::timestamptz
WHERE id = $1::uuid AND revoked_at IS NULL
RETURNING secret_hash
---- customers/session_account.sql
-- Whose session it is or was.
SELECT s.account_id FROM session s WHERE s.id = $1::uuid
---- customers/use_refresh_token.sql
UPDATE refresh_token
SET used_at = $2::timestamptz
WHERE secret_hash = $1::bytea AND used_at IS NULL
---- flags/changed_flags.sql
SELECT f.key, f.definition::text AS definition, f.revision, f.updated_by, f.updated_at
FROM flag f
WHERE f.revision > $1::bigint
ORDER BY f.revision
LIMIT $2::bigint
---- flags/find_flag.sql
SELECT f.definition::text AS definition, f.file_definition::text AS file_definition
FROM flag f
WHERE f.key = $1::text
---- flags/flag_changes.sql
SELECT c.id, c.at, c.actor, c.old::text AS old, c.new::text AS new
FROM flag_change c
WHERE c.key = $1::text AND ($2::uuid IS NULL OR c.id < $2::uuid)
ORDER BY c.id DESC
LIMIT $3::bigint
---- flags/lock_flags.sql
-- Writers take turns until they commit: so the order of the revisions is the order of the commits.
SELECT pg_advisory_xact_lock(7462, 1)::text AS locked
---- flags/note_flag_change.sql
INSERT INTO flag_change (id, key, at, actor, old, new)
VALUES ($1::uuid, $2::text, $3::timestamptz, $4::text, $5::json, $6::json)
---- flags/put_flag.sql
INSERT INTO flag AS old (key, definition, file_definition, revision, updated_by, updated_at)
VALUES ($1::text, $2::json, $3::json, nextval('flag_revision_seq'), $4::text, $5::timestamptz)
ON CONFLICT (key) DO UPDATE
SET definition = excluded.definition,
    file_definition = coalesce(excluded.file_definition, old.file_definition),
    revision = excluded.revision, updated_by = excluded.updated_by,
    updated_at = excluded.updated_at
---- inventory/add_adjustments.sql
INSERT INTO stock_adjustment (id, sku, delta, reason, location, actor, at)
SELECT new.id, new.sku, new.delta, new.reason, new.location, $6, $7
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[])
     AS new (id, sku, delta, reason, location)
---- inventory/add_movements.sql
INSERT INTO stock_movement (id, sku, kind, units, origin, target, order_id, actor, at)
SELECT new.id, new.sku, new.kind, new.units, new.origin, new.target, new.order_id, $8, $9
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::uuid[])
     AS new (id, sku, kind, units, origin, target, order_id)
---- inventory/add_reservations.sql
-- An order whose goods were given back may be promised goods again; a live promise stays as it is.
INSERT INTO reservation (order_id, units, reserved_at)
SELECT new.order_id, new.units::json, $3
FROM unnest($1::uuid[], $2::text[]) AS new (order_id, units)
ON CONFLICT (order_id) DO UPDATE
SET units = excluded.units, reserved_at = excluded.reserved_at, released_at = NULL
WHERE reservation.released_at IS NOT NULL
---- inventory/adjust.sql
UPDATE stock
SET on_hand = stock.on_hand + change.delta, version = stock.version + change.steps
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS change (sku, delta, steps)
WHERE stock.sku = change.sku
---- inventory/audit_stock.sql
-- Per SKU: the level, what the adjustments add up to, what live reservations hold, and what lies
-- at other locations than the main one.
SELECT sku,
       sum(on_hand)::bigint AS on_hand,
       sum(reserved)::bigint AS reserved,
       sum(shipped)::bigint AS shipped,
       sum(returned)::bigint AS returned,
       sum(adjusted)::bigint AS adjusted,
       sum(held)::bigint AS held,
       sum(elsewhere)::bigint AS elsewhere
FROM (
    SELECT sku, on_hand, reserved, shipped, returned, 0, 0, 0 FROM stock
    UNION ALL
    SELECT sku, 0, 0, 0, 0, delta, 0, 0 FROM stock_adjustment
    UNION ALL
    SELECT (line ->> 0) COLLATE "C", 0, 0, 0, 0, 0, (line ->> 1)::bigint, 0
    FROM reservation, json_array_elements(units) AS line
    WHERE released_at IS NULL
    UNION ALL
    SELECT sku, 0, 0, 0, 0, 0, 0, on_hand FROM stock_at
) AS books (sku, on_hand, reserved, shipped, returned, adjusted, held, elsewhere)
GROUP BY sku
ORDER BY sku
---- inventory/change_reservations.sql
-- Shrinks or ends live reservations. Each is ended once.
UPDATE reservation
SET units = change.units::json, released_at = change.released_at
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS change (order_id, units, released_at)
WHERE reservation.order_id = change.order_id AND reservation.released_at IS NULL
---- inventory/ensure_stock.sql
INSERT INTO stock (sku, on_hand)
SELECT sku, 0 FROM unnest($1::text[]) AS new (sku) ORDER BY sku
ON CONFLICT (sku) DO NOTHING
---- inventory/find_elsewhere.sql
-- What lies at other locations than the main one. Whoever changes it holds the lock of the SKU's
-- row in stock: read it after that lock was taken, and nobody changes it.
SELECT there.sku, there.location, place.rank, there.on_hand
FROM stock_at AS there
JOIN stock_location AS place ON place.name = there.location
WHERE there.sku = ANY ($1::text[])
---- inventory/find_locations.sql
SELECT name, rank FROM stock_location WHERE name = ANY ($1::text[])
---- inventory/get_stock.sql
-- The level with a row per other location; one statement, so all of one moment.
SELECT level.sku, level.on_hand, level.reserved, level.version,
       there.location, place.rank, there.on_hand AS units
FROM stock AS level
LEFT JOIN stock_at AS there ON there.sku = level.sku
LEFT JOIN stock_location AS place ON place.name = there.location
WHERE level.sku = $1
---- inventory/list_levels.sql
SELECT sku, on_hand, reserved, version FROM stock WHERE sku > $1 ORDER BY sku LIMIT $2
---- inventory/list_locations.sql
-- In the order in which goods leave, with the main location among them.
SELECT name, rank
FROM (
    SELECT 'main' COLLATE "C", 0::bigint
    UNION ALL
    SELECT name, rank FROM stock_location
) AS place (name, rank)
WHERE (rank, name) > ($1, $2)
ORDER BY rank, name
LIMIT $3
---- inventory/list_movements.sql
-- Adjustments and movements of a SKU as one list, newest first, after the row named by $2 and $3.
-- Each half takes no more rows than the page needs.
SELECT id, kind, units, origin, target, order_id, reason, actor, at
FROM (
    (SELECT id, 'adjustment' AS kind, delta AS units, coalesce(location, 'main') AS origin,
            NULL::text AS target, NULL::uuid AS order_id, reason, actor, at
     FROM stock_adjustment
     WHERE sku = $1 AND (at, id) < ($2, $3)
     ORDER BY at DESC, id DESC
     LIMIT $4)
    UNION ALL
    (SELECT id, kind, units, origin, target, order_id, NULL, actor, at
     FROM stock_movement
     WHERE sku = $1 AND (at, id) < ($2, $3)
     ORDER BY at DESC, id DESC
     LIMIT $4)
) AS entry
ORDER BY at DESC, id DESC
LIMIT $4
---- inventory/lock_levels.sql
-- The levels of these SKUs, held until the transaction ends, locked in SKU order.
SELECT sku, on_hand, reserved, version
FROM stock
WHERE sku = ANY ($1::text[])
ORDER BY sku
FOR UPDATE
---- inventory/lock_reservations.sql
-- The live reservations of these orders, held until the transaction ends, locked in their order.
SELECT order_id, units::text AS units
FROM reservation
WHERE order_id = ANY ($1::uuid[]) AND released_at IS NULL
ORDER BY order_id
FOR UPDATE
---- inventory/put_elsewhere.sql
-- How many units lie at other locations now, for SKUs whose rows in stock are locked.
INSERT INTO stock_at (sku, location, on_hand)
SELECT new.sku, new.location, new.on_hand
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS new (sku, location, on_hand)
ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand
---- inventory/put_location.sql
INSERT INTO stock_location (name, rank, created_at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET rank = excluded.rank
RETURNING name, rank
---- inventory/reserve.sql
-- Promises the units of a whole batch, SKU by SKU, where enough are free. All rows are locked
-- first, in SKU order as everywhere, so that two batches can never wait for each other in a
-- circle; the count makes that happen before the first row is changed. (A join with the locked
-- rows would do so too, but compares every SKU with every other.)
WITH locked AS MATERIALIZED (
    SELECT sku FROM stock WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE
)
UPDATE stock
SET reserved = stock.reserved + wanted.units, version = stock.version + 1
FROM unnest($1::text[], $2::bigint[]) AS wanted (sku, units)
WHERE (SELECT count(*) FROM locked) >= 0
  AND stock.sku = wanted.sku AND stock.on_hand - stock.reserved >= wanted.units
RETURNING stock.sku
---- inventory/shift_stock.sql
-- Adds to the numbers of shelves, or takes away; the table's constraints refuse what cannot be.
-- Locks in SKU order first, as in reserve.sql.
WITH locked AS MATERIALIZED (
    SELECT sku FROM stock WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE
)
UPDATE stock
SET on_hand = stock.on_hand + change.on_hand,
    reserved = stock.reserved + change.reserved,
    shipped = stock.shipped + change.shipped,
    returned = stock.returned + change.returned,
    version = stock.version + 1
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
     AS change (sku, on_hand, reserved, shipped, returned)
WHERE (SELECT count(*) FROM locked) >= 0 AND stock.sku = change.sku
---- orders/advance_orders.sql
-- Moves orders that this transaction has locked on by one event each: all that an event can change.
UPDATE orders
SET status = new.status, amount_authorized = new.authorized, amount_captured = new.captured,
    amount_refunded = new.refunded, payment = new.payment::json, lines = new.lines::json,
    cancel_requested = new.cancel_requested, goods = new.goods, updated_at = new.updated_at,
    version = new.version
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::bigint[])
     AS new (id, status, authorized, captured, refunded, payment, lines, cancel_requested, goods,
             updated_at, version)
WHERE orders.id = new.id AND orders.version = new.version - 1
---- orders/count_stuck.sql
-- Orders whose payment is not known although they were placed before $1.
SELECT count(*) AS orders FROM orders WHERE status = 'pending' AND created_at < $1
---- orders/find_keys.sql
SELECT o.id, o.principal_id, o.idempotency_key, o.fingerprint, o.external_ref, o.customer_id, o.status, o.currency,
       o.amount_subtotal, o.amount_discount, o.amount_tax, o.amount_total, o.amount_authorized,
       o.amount_captured, o.amount_refunded, o.capture, o.payment::text AS payment, o.lines::text AS lines,
       o.metadata::text AS metadata, o.pricing::text AS pricing, o.cancel_requested, o.goods, o.created_at, o.updated_at, o.version
FROM unnest($1::uuid[], $2::text[]) AS wanted (principal_id, key)
JOIN orders o ON o.principal_id = wanted.principal_id AND o.idempotency_key = wanted.key
---- orders/get_order.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
WHERE id = $1
---- orders/given_up_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
-- Orders that ended although nobody knew of their payment, placed since $1.
WHERE status = 'cancelled' AND payment ->> 'status' = 'sending' AND created_at >= $1 AND id > $3
ORDER BY id
LIMIT $2
---- orders/insert_mismatches.sql
INSERT INTO pricing_mismatch (order_id, at, currency, engine, total, other_engine, other_total, why,
                              trace_id)
SELECT new.order_id, new.at, new.currency, new.engine, new.total, new.other_engine,
       nullif(new.other_total, -1), new.why, new.trace_id
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::text[],
            $7::bigint[], $8::text[], $9::text[])
     AS new (order_id, at, currency, engine, total, other_engine, other_total, why, trace_id)
ON CONFLICT (order_id) DO NOTHING
---- orders/insert_orders.sql
-- Claims the idempotency keys and writes the orders in one. A key that is taken gives no row: its
-- request leaves the batch and is told what the first one was told.
INSERT INTO orders (id, principal_id, idempotency_key, fingerprint, external_ref, customer_id,
                    status, currency, amount_subtotal, amount_discount, amount_tax, amount_total,
                    amount_authorized, amount_captured, amount_refunded, capture, payment, lines,
                    metadata, created_at, updated_at, version, pricing)
SELECT new.id, new.principal_id, new.idempotency_key, new.fingerprint, new.external_ref,
       new.customer_id, 'pending', new.currency, new.subtotal, new.discount, new.tax, new.total,
       0, 0, 0, new.capture, new.payment::json, new.lines::json, new.metadata::json,
       new.created_at, new.created_at, 1, new.pricing::json
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::uuid[], $7::text[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[],
            $14::text[], $15::text[], $16::timestamptz[], $17::text[])
     AS new (id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, currency,
             subtotal, discount, tax, total, capture, payment, lines, metadata, created_at,
             pricing)
-- In key order, as every node does it, so that two batches cannot wait for each other in a circle.
ORDER BY new.principal_id, new.idempotency_key COLLATE "C"
ON CONFLICT (principal_id, idempotency_key) DO NOTHING
RETURNING id
---- orders/list_mismatches.sql
SELECT m.order_id, m.at, m.currency, m.engine, m.total, m.other_engine, m.other_total, m.why,
       m.trace_id
FROM pricing_mismatch m
WHERE $1::uuid IS NULL OR m.order_id < $1::uuid
ORDER BY m.order_id DESC
LIMIT $2::bigint
---- orders/list_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
WHERE ($2::uuid IS NULL OR id < $2)
  AND ($6::uuid IS NULL OR id >= $6)
  AND ($3::text IS NULL OR status = $3)
  AND ($4::timestamptz IS NULL OR created_at >= $4)
  AND ($5::timestamptz IS NULL OR created_at < $5)
ORDER BY id DESC
LIMIT $1
---- orders/list_orders_by_external_ref.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
WHERE external_ref = $7
  AND ($2::uuid IS NULL OR id < $2)
  AND ($6::uuid IS NULL OR id >= $6)
  AND ($3::text IS NULL OR status = $3)
  AND ($4::timestamptz IS NULL OR created_at >= $4)
  AND ($5::timestamptz IS NULL OR created_at < $5)
ORDER BY id DESC
LIMIT $1
---- orders/list_orders_of_customer.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
WHERE customer_id = $7
  AND ($2::uuid IS NULL OR id < $2)
  AND ($6::uuid IS NULL OR id >= $6)
  AND ($3::text IS NULL OR status = $3)
  AND ($4::timestamptz IS NULL OR created_at >= $4)
  AND ($5::timestamptz IS NULL OR created_at < $5)
  AND ($8::text IS NULL OR external_ref = $8)
ORDER BY id DESC
LIMIT $1
---- orders/lock_orders.sql
-- The orders as they are, held until the transaction ends, locked by id as everywhere.
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
WHERE id = ANY ($1::uuid[])
ORDER BY id
FOR UPDATE
---- orders/orders_by_ids.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
WHERE id = ANY ($1::uuid[])
ORDER BY id DESC
---- orders/page_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
WHERE id > $1
ORDER BY id
LIMIT $2
---- orders/pending_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
-- Orders whose payment is not settled although they are older than $1.
WHERE status = 'pending' AND created_at < $1 AND id > $3
ORDER BY id
LIMIT $2
---- orders/stuck_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment::text AS payment, lines::text AS lines,
       metadata::text AS metadata, pricing::text AS pricing, cancel_requested, goods, created_at, updated_at, version
FROM orders
-- As pending_orders, but newest first, and before $3.
WHERE status = 'pending' AND created_at < $1 AND ($3::uuid IS NULL OR id < $3)
ORDER BY id DESC
LIMIT $2
---- orders/update_orders.sql
-- Moves orders on by one version each. Whoever comes second with a version finds no row.
UPDATE orders
SET status = new.status, amount_authorized = new.authorized, amount_captured = new.captured,
    amount_refunded = new.refunded, payment = new.payment::json, goods = new.goods,
    updated_at = new.updated_at, version = new.version
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
            $7::timestamptz[], $8::bigint[], $9::text[])
     AS new (id, status, authorized, captured, refunded, payment, updated_at, version, goods)
WHERE orders.id = new.id AND orders.version = new.version - 1
RETURNING orders.id
---- payments/get.sql
SELECT id, order_id, amount, currency, capture, method, status, provider_ref, decline_code
FROM payment
WHERE id = $1
---- payments/handle_events.sql
UPDATE provider_event
SET handled_at = $2
WHERE id = ANY ($1::text[]) AND handled_at IS NULL
---- payments/next_operation.sql
-- What is to be done with an order's payment is done one after the other.
SELECT id, order_id, payment_id, leg, kind, amount, currency, status, provider_ref, refusal_code
FROM payment_operation
WHERE order_id = $1 AND status = 'open'
ORDER BY leg
LIMIT 1
---- payments/open.sql
-- The intent is written before the provider is asked (rule D2).
INSERT INTO payment (id, order_id, amount, currency, capture, method, status, created_at, updated_at)
SELECT new.id, new.order_id, new.amount, new.currency, new.capture, new.method, 'sending', $7, $7
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[])
     AS new (id, order_id, amount, currency, capture, method)
---- payments/open_operations.sql
SELECT id, order_id, payment_id, leg, kind, amount, currency, status, provider_ref, refusal_code,
       created_at
FROM payment_operation
WHERE status = 'open' AND created_at < $1 AND (created_at, id) > ($2, $3)
ORDER BY created_at, id
LIMIT $4
---- payments/operations_of_order.sql
SELECT id, order_id, payment_id, leg, kind, amount, currency, status, provider_ref, refusal_code
FROM payment_operation
WHERE order_id = $1
ORDER BY leg
---- payments/page.sql
SELECT id, order_id, amount, currency, capture, method, status, provider_ref, decline_code
FROM payment
WHERE order_id > $1
ORDER BY order_id
LIMIT $2
---- payments/page_operations.sql
SELECT id, order_id, payment_id, leg, kind, amount, currency, status, provider_ref, refusal_code
FROM payment_operation
WHERE (order_id, leg) > ($1, $2)
ORDER BY order_id, leg
LIMIT $3
---- payments/payment_of_order.sql
SELECT id, order_id, amount, currency, capture, method, status, provider_ref, decline_code
FROM payment
WHERE order_id = $1
---- payments/receive_event.sql
-- The provider sends an event until it is taken, and sometimes more often: once counts.
INSERT INTO provider_event (id, type, order_id, received_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO NOTHING
---- payments/record.sql
-- Only an attempt whose outcome is open takes one; what is settled stays.
UPDATE payment
SET status = known.status, provider_ref = known.provider_ref, decline_code = known.decline_code,
    updated_at = $5
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
     AS known (id, status, provider_ref, decline_code)
WHERE payment.id = known.id AND payment.status = 'sending'
---- payments/request_operations.sql
-- Written with the event that asks for them, before the provider is asked (rule D2).
INSERT INTO payment_operation
       (id, order_id, payment_id, leg, kind, amount, currency, status, created_at, updated_at)
SELECT new.id, new.order_id, new.payment_id, new.leg, new.kind, new.amount, new.currency, 'open',
       $8, $8
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[], $7::text[])
     AS new (id, order_id, payment_id, leg, kind, amount, currency)
---- payments/settle_operations.sql
-- Only an operation that is open takes an outcome: of two settlers the second gets no row.
UPDATE payment_operation
SET status = known.status, provider_ref = known.provider_ref, refusal_code = known.refusal_code,
    updated_at = $5
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
     AS known (id, status, provider_ref, refusal_code)
WHERE payment_operation.id = known.id AND payment_operation.status = 'open'
RETURNING payment_operation.id
---- payments/unhandled_events.sql
SELECT id, type, order_id, received_at
FROM provider_event
WHERE handled_at IS NULL
ORDER BY received_at, id
LIMIT $1
---- shipping/change_shipments.sql
UPDATE shipment
SET status = new.status
FROM unnest($1::uuid[], $2::text[]) AS new (order_id, status)
WHERE shipment.order_id = new.order_id
---- shipping/count_shipments.sql
SELECT count(*) AS shipments FROM shipment
---- shipping/prepare_shipments.sql
INSERT INTO shipment (order_id, status, units, created_at)
SELECT new.order_id, 'preparing', new.units::json, new.created_at
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS new (order_id, units, created_at)
ORDER BY new.order_id
ON CONFLICT (order_id) DO NOTHING
---- shipping/shipment_of_order.sql
SELECT status, CAST(units AS text) AS units, created_at
FROM shipment
WHERE order_id = $1
---- store/append_events.sql
-- Takes the turn of every partition it writes, in order, then draws the places. The turn is held
-- until commit, so a reader never sees a later place of a partition before an earlier one.
WITH turns AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(7461, wanted.partition)
    FROM (SELECT DISTINCT p::int AS partition FROM unnest($1::bigint[]) AS p ORDER BY 1) AS wanted
), granted AS MATERIALIZED (
    SELECT count(*) AS n FROM turns
)
INSERT INTO event (partition, id, order_id, version, type, at, actor, cause, trace_id, data)
SELECT new.partition::smallint, new.id, new.order_id, new.version, new.type, new.at, new.actor,
       new.cause, new.trace_id, new.data::json
FROM granted,
     unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::timestamptz[],
            $7::text[], $8::text[], $9::text[], $10::text[])
         WITH ORDINALITY
         AS new (partition, id, order_id, version, type, at, actor, cause, trace_id, data, place)
WHERE granted.n > 0
ORDER BY new.place
---- store/event_ends.sql
-- For the audit: how many events an order has, and its last version; equal when none is missing.
SELECT order_id, count(*) AS events, max(version) AS last_version
FROM event
WHERE order_id > $1
GROUP BY order_id
ORDER BY order_id
LIMIT $2
---- store/find_answers.sql
SELECT a.principal_id, a.key, a.fingerprint, a.status::bigint AS status, a.location, a.etag, a.body,
       a.created_at
FROM unnest($1::uuid[], $2::text[]) AS wanted (principal_id, key)
JOIN answer a ON a.principal_id = wanted.principal_id AND a.key = wanted.key
---- store/forget_answers.sql
DELETE FROM answer
WHERE ctid = ANY (ARRAY(SELECT ctid FROM answer WHERE created_at < $1 LIMIT $2))
---- store/forget_leases.sql
DELETE FROM lease
WHERE starts_with(name, $1)
  AND expires_at < clock_timestamp() - $2::bigint * interval '1 microsecond'
  AND $3::timestamptz IS NOT NULL
---- store/list_leases.sql
SELECT name, holder, fence, (expires_at >= clock_timestamp())::int::bigint AS is_live
FROM lease
WHERE starts_with(name, $1) AND $2::timestamptz IS NOT NULL
ORDER BY name
---- store/order_history.sql
SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause, trace_id, CAST(data AS text) AS data
FROM event
WHERE order_id = $1
ORDER BY version
---- store/order_history_after.sql
SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause, trace_id, CAST(data AS text) AS data
FROM event
WHERE order_id = $1 AND version > $2
ORDER BY version
LIMIT $3
---- store/ping.sql
SELECT 1 AS one
---- store/read_earlier_events.sql
-- Like read_wanted_events, backwards. The data of kinds that nobody asked for stay where they are.
SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause,
       trace_id, CASE WHEN type = ANY ($1::text[]) THEN CAST(data AS text) END AS data
FROM event
WHERE partition = $2 AND seq < $3
ORDER BY seq DESC
LIMIT $4
---- store/read_events.sql
SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause, trace_id, CAST(data AS text) AS data
FROM event
WHERE partition = $1 AND seq > $2
ORDER BY seq
LIMIT $3
---- store/read_wanted_events.sql
-- Of the events that nobody asked for only the last of the page is read out: it tells how far the
-- page went. They would be half of all rows.
WITH page AS (
    SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data,
           type = ANY ($1::text[]) AS wanted, count(*) OVER () AS passed, max(seq) OVER () AS last
    FROM (
        SELECT * FROM event WHERE partition = $2 AND seq > $3 ORDER BY seq LIMIT $4
    ) AS next
)
SELECT CAST(partition AS bigint) AS partition, seq, id, order_id, version, type, at, actor, cause,
       trace_id, CASE WHEN wanted THEN CAST(data AS text) END AS data, passed
FROM page
WHERE wanted OR seq = last
ORDER BY seq
---- store/release_leases.sql
UPDATE lease
SET expires_at = 'epoch'
WHERE name = $1 AND holder = $2 AND fence = $3 AND $4::timestamptz IS NOT NULL
---- store/still_held.sql
-- The row stays locked until the transaction ends: whoever wants to take it over waits.
SELECT fence
FROM lease
WHERE name = $1 AND holder = $2 AND fence = $3 AND expires_at >= clock_timestamp()
  AND $4::timestamptz IS NOT NULL
FOR SHARE
---- store/store_answers.sql
-- The first answer that was given stays the answer for ever.
INSERT INTO answer (principal_id, key, fingerprint, status, location, etag, body, created_at)
SELECT new.principal_id, new.key, new.fingerprint, new.status::smallint, new.location, new.etag,
       new.body, new.created_at
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::text[],
            $8::timestamptz[])
     AS new (principal_id, key, fingerprint, status, location, etag, body, created_at)
ORDER BY new.principal_id, new.key
ON CONFLICT (principal_id, key) DO NOTHING
---- store/store_new_answers.sql
-- For keys that have no answer yet: where that is certain, asking for a conflict costs as much as the
-- row itself (7.4 instead of 3.7 µs).
INSERT INTO answer (principal_id, key, fingerprint, status, location, etag, body, created_at)
SELECT new.principal_id, new.key, new.fingerprint, new.status::smallint, new.location, new.etag,
       new.body, new.created_at
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::text[],
            $8::timestamptz[])
     AS new (principal_id, key, fingerprint, status, location, etag, body, created_at)
---- store/take_leases.sql
-- Renews, and takes what nobody holds. Time is the database's; $4 is for SQLite.
INSERT INTO lease (name, holder, fence, expires_at)
SELECT name, $2, 1, clock_timestamp() + $3::bigint * interval '1 microsecond'
FROM unnest($1::text[]) AS wanted (name)
WHERE $4::timestamptz IS NOT NULL
-- In name order, as every node does it, so that two nodes cannot wait for each other in a circle.
ORDER BY name COLLATE "C"
ON CONFLICT (name) DO UPDATE
SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at,
    fence = lease.fence + CASE WHEN lease.holder = EXCLUDED.holder THEN 0 ELSE 1 END
WHERE lease.holder = EXCLUDED.holder OR lease.expires_at < clock_timestamp()
RETURNING name, fence
