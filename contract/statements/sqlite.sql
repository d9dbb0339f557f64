---- broker/advance_positions.sql
UPDATE consumer_position AS position
SET seq = moved.value ->> 1
FROM json_each($1) AS moved
WHERE position.consumer = $2 AND position.partition = moved.value ->> 0
---- broker/blocked_orders.sql
-- Which of these orders have an event parked already: later events must queue behind it.
SELECT DISTINCT parked.order_id
FROM json_each($1) AS wanted
JOIN parked_event AS parked
  ON parked.consumer = $2 AND parked.order_id = unhex(wanted.value ->> 0)
---- broker/claim_events.sql
UPDATE consumer_position
SET claimed = $3, tries = $4
WHERE consumer = $1 AND partition = $2
---- broker/dead_letters.sql
SELECT parked.consumer, parked.order_id, parked.version, event.type, parked.partition, parked.seq,
       parked.attempts, parked.dead_since, parked.last_error
FROM parked_event AS parked
JOIN event ON event.order_id = parked.order_id AND event.version = parked.version
WHERE parked.dead_since IS NOT NULL
  AND ($1 IS NULL OR (parked.dead_since, parked.consumer, parked.order_id) > ($1, $2, $3))
ORDER BY parked.dead_since, parked.consumer, parked.order_id
LIMIT $4
---- broker/due_parked_event.sql
-- Only the first parked event of an order has a moment that comes; the others wait behind it.
SELECT order_id, version, seq, attempts, last_error
FROM parked_event
WHERE consumer = $1 AND partition = $2 AND dead_since IS NULL AND next_attempt_at <= $3
ORDER BY next_attempt_at, order_id
LIMIT 1
---- broker/events_ahead.sql
-- How many events come after a place of each partition, counted no further than $2.
SELECT place.value ->> 0 AS partition,
       (SELECT count(*) FROM (
            SELECT 1 FROM event
            WHERE event.partition = place.value ->> 0 AND event.seq > place.value ->> 1
            LIMIT $2
        ) AS ahead) AS events
FROM json_each($1) AS place
---- broker/find_due.sql
SELECT position.consumer, position.partition,
       EXISTS (
           SELECT 1 FROM event
           WHERE event.partition = position.partition AND event.seq > position.seq
       ) AS events,
       EXISTS (
           SELECT 1 FROM parked_event AS parked
           WHERE parked.consumer = position.consumer AND parked.partition = position.partition
             AND parked.dead_since IS NULL AND parked.next_attempt_at <= $1
       ) AS parked
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
-- One writer at a time: the transaction itself is the lock.
SELECT partition, seq, claimed, tries
FROM consumer_position
WHERE consumer = $2 AND partition IN (SELECT wanted.value ->> 0 FROM json_each($1) AS wanted)
ORDER BY partition
---- broker/log_ends.sql
-- The last place of each partition that can be seen, 0 where there is none.
SELECT place.value ->> 0 AS partition,
       coalesce((SELECT max(seq) FROM event
                 WHERE event.partition = place.value ->> 0), 0) AS seq
FROM json_each($1) AS place
---- broker/open_positions.sql
INSERT INTO consumer_position (consumer, partition, seq)
SELECT $2, new.value ->> 0, 0
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (consumer, partition) DO NOTHING
---- broker/park_events.sql
INSERT INTO parked_event (consumer, order_id, version, partition, seq, attempts, next_attempt_at,
                          dead_since, last_error)
SELECT $2, unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, new.value ->> 7
FROM json_each($1) AS new
---- broker/redrive.sql
UPDATE parked_event
SET attempts = 0, next_attempt_at = $3, dead_since = NULL
WHERE consumer = $1 AND order_id = $2 AND dead_since IS NOT NULL
---- broker/redrive_oldest.sql
UPDATE parked_event
SET attempts = 0, next_attempt_at = $3, dead_since = NULL
WHERE (consumer, order_id, version) IN (
    SELECT consumer, order_id, version FROM parked_event
    WHERE dead_since IS NOT NULL AND ($1 IS NULL OR consumer = $1)
    ORDER BY dead_since, consumer, order_id
    LIMIT $2
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
WHERE p.revision > $1
ORDER BY p.revision
LIMIT $2
---- catalog/changed_products.sql
SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active, p.revision, p.updated_at
FROM product p
WHERE p.revision > $1
ORDER BY p.revision
LIMIT $2
---- catalog/changed_rules.sql
SELECT r.kind, r.id, r.definition, r.revision, r.updated_at
FROM price_rule r
WHERE r.revision > $1
ORDER BY r.revision
LIMIT $2
---- catalog/count_coupons.sql
UPDATE coupon_count AS old
SET used = old.used + (more.value ->> 1)
FROM json_each($1) AS more
WHERE old.coupon = more.value ->> 0
---- catalog/count_coupons_of_customers.sql
SELECT u.coupon, u.customer_id, count(*) AS used
FROM json_each($1) AS wanted
JOIN coupon_use u ON u.coupon = wanted.value ->> 0 AND u.customer_id = unhex(wanted.value ->> 1)
WHERE u.released_at IS NULL
GROUP BY u.coupon, u.customer_id
---- catalog/coupons_used.sql
SELECT c.coupon, c.used
FROM json_each($1) AS wanted
JOIN coupon_count c ON c.coupon = wanted.value ->> 0
---- catalog/find_products.sql
SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active, p.revision, p.updated_at
FROM json_each($1) AS wanted
JOIN product p ON p.sku = wanted.value ->> 0
---- catalog/give_coupons_back.sql
UPDATE coupon_use AS used
SET released_at = $2
FROM json_each($1) AS ended
WHERE used.order_id = unhex(ended.value ->> 0) AND used.released_at IS NULL
RETURNING coupon
---- catalog/list_products.sql
-- No SKU is empty, so the empty text comes before the first one.
SELECT p.sku, p.name, p.category, p.unit_amount, p.currency, p.active,
       p.revision, p.updated_at
FROM product p
WHERE p.sku > coalesce($1, '')
ORDER BY p.sku
LIMIT $2
---- catalog/lock_coupons.sql
-- The row of each coupon, made where there is none. There is one writer at a time.
INSERT INTO coupon_count AS old (coupon, used)
SELECT wanted.value ->> 0, 0
FROM json_each($1) AS wanted
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (coupon) DO UPDATE SET used = old.used
RETURNING coupon, used
---- catalog/prices_on_list.sql
-- No SKU is empty, so the empty text comes before the first one.
SELECT p.sku, p.unit_amount, p.updated_at
FROM list_price p
WHERE p.price_list = $1 AND p.sku > coalesce($2, '') AND p.unit_amount IS NOT NULL
ORDER BY p.sku
LIMIT $3
---- catalog/put_prices.sql
-- One writer at a time, and no row is ever deleted: the next revision is the highest plus one. -1
-- takes a price off its list.
INSERT INTO list_price AS old (price_list, sku, unit_amount, revision, updated_at)
SELECT new.value ->> 0, new.value ->> 1, nullif(new.value ->> 2, -1),
       (SELECT coalesce(max(revision), 0) FROM list_price) + 1 + new.key, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (price_list, sku) DO UPDATE
SET unit_amount = excluded.unit_amount, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE old.unit_amount IS NOT excluded.unit_amount
---- catalog/put_products.sql
-- One writer at a time, and no product is ever deleted: the next revision is the highest plus one.
INSERT INTO product AS old (sku, name, category, unit_amount, currency, active, revision, updated_at)
SELECT new.value ->> 0, new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4,
       new.value ->> 5,
       (SELECT coalesce(max(revision), 0) FROM product) + 1 + new.key, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (sku) DO UPDATE
SET name = excluded.name, category = excluded.category, unit_amount = excluded.unit_amount,
    currency = excluded.currency, active = excluded.active, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE (old.name, old.category, old.unit_amount, old.currency, old.active)
   <> (excluded.name, excluded.category, excluded.unit_amount, excluded.currency, excluded.active)
---- catalog/put_rules.sql
-- One writer at a time, and no rule is ever deleted: the next revision is the highest plus one.
INSERT INTO price_rule AS old (kind, id, definition, revision, updated_at)
SELECT new.value ->> 0, new.value ->> 1, new.value ->> 2,
       (SELECT coalesce(max(revision), 0) FROM price_rule) + 1 + new.key, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (kind, id) DO UPDATE
SET definition = excluded.definition, revision = excluded.revision,
    updated_at = excluded.updated_at
WHERE old.definition <> excluded.definition
---- catalog/use_coupons.sql
INSERT INTO coupon_use (order_id, coupon, customer_id, used_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, unhex(new.value ->> 2), $2
FROM json_each($1) AS new
---- customers/change_customer.sql
UPDATE customer
SET name = $3, email = $4, default_payment_method = $5,
    updated_at = $6, version = version + 1
WHERE id = $1 AND version = $2 AND erased_at IS NULL
---- customers/change_password.sql
UPDATE account
SET password_hash = $3, password_changed_at = $4
WHERE id = $1 AND password_hash = $2
---- customers/count_addresses.sql
-- How many others there are.
SELECT count(*) AS others
FROM customer_address
WHERE customer_id = $1 AND name <> $2
---- customers/crowd_out_sessions.sql
-- The oldest of an account that has more than so many.
UPDATE session
SET ended_at = $3, ended_why = 'crowded_out'
WHERE account_id = $1 AND ended_at IS NULL
  AND id NOT IN (
      SELECT s.id
      FROM session s
      WHERE s.account_id = $1 AND s.ended_at IS NULL
      ORDER BY s.id DESC
      LIMIT $2
  )
RETURNING id
---- customers/delete_account.sql
DELETE FROM account
WHERE id = $1
---- customers/delete_address.sql
DELETE FROM customer_address
WHERE customer_id = $1 AND name = $2
---- customers/delete_addresses.sql
DELETE FROM customer_address
WHERE customer_id = $1
---- customers/delete_refresh_tokens.sql
DELETE FROM refresh_token
WHERE session_id IN (SELECT s.id FROM session s WHERE s.account_id = $1)
---- customers/delete_sessions.sql
DELETE FROM session
WHERE account_id = $1
RETURNING id
---- customers/end_session.sql
UPDATE session
SET ended_at = $2, ended_why = $3
WHERE id = $1 AND ended_at IS NULL
---- customers/end_sessions.sql
UPDATE session
SET ended_at = $2, ended_why = $3
WHERE account_id = $1 AND ended_at IS NULL
RETURNING id
---- customers/erase_customer.sql
UPDATE customer
SET external_ref = NULL, name = '', email = NULL, default_payment_method = NULL,
    updated_at = $2, erased_at = $2, version = version + 1
WHERE id = $1 AND erased_at IS NULL
---- customers/expired_sessions.sql
-- Those that somebody else works on are left to the next time.
SELECT s.id
FROM session s
WHERE s.expires_at < $1
ORDER BY s.expires_at
LIMIT $2
---- customers/find_account.sql
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.id = $1
---- customers/find_account_by_email.sql
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.email = $1
---- customers/find_account_of_customer.sql
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.customer_id = $1
---- customers/find_customers.sql
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version
FROM json_each($1) AS wanted
JOIN customer c ON c.id = unhex(wanted.value ->> 0)
WHERE c.erased_at IS NULL
---- customers/find_imported.sql
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version
FROM json_each($1) AS wanted
JOIN customer c ON c.external_ref = wanted.value ->> 0
---- customers/find_key.sql
SELECT id, name, scopes, created_at, (revoked_at IS NOT NULL) AS revoked, prefix, expires_at,
       last_used_at
FROM api_key
WHERE secret_hash = $1
---- customers/find_payers.sql
-- Whoever is erased orders nothing any more.
SELECT c.id, c.default_payment_method
FROM json_each($1) AS wanted
JOIN customer c ON c.id = unhex(wanted.value ->> 0)
WHERE c.erased_at IS NULL
---- customers/find_refresh_token.sql
SELECT r.session_id
FROM refresh_token r
WHERE r.secret_hash = $1
---- customers/find_session.sql
-- Whose session it is, while it lasts.
SELECT s.expires_at, a.id, a.role, a.customer_id
FROM session s
JOIN account a ON a.id = s.account_id
WHERE s.id = $1 AND s.ended_at IS NULL
---- customers/find_signing_key.sql
SELECT secret
FROM signing_key
WHERE name = 'access'
---- customers/forget_session_tokens.sql
DELETE FROM refresh_token
WHERE session_id IN (SELECT unhex(old.value ->> 0) FROM json_each($1) AS old)
---- customers/forget_sessions.sql
DELETE FROM session
WHERE id IN (SELECT unhex(old.value ->> 0) FROM json_each($1) AS old)
---- customers/get_key.sql
SELECT id, name, scopes, created_at, (revoked_at IS NOT NULL) AS revoked, prefix, expires_at,
       last_used_at
FROM api_key
WHERE id = $1
---- customers/insert_account.sql
INSERT INTO account (id, email, password_hash, role, customer_id, created_at, password_changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (email) DO NOTHING
---- customers/insert_customers.sql
-- A reference that is taken keeps its customer.
INSERT INTO customer (id, external_ref, name, email, default_payment_method, created_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ORDER BY new.key
ON CONFLICT (external_ref) DO NOTHING
---- customers/insert_key.sql
INSERT INTO api_key (id, name, secret_hash, scopes, created_at, prefix, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (secret_hash) DO NOTHING
---- customers/insert_refresh_token.sql
INSERT INTO refresh_token (secret_hash, session_id, created_at)
VALUES ($1, $2, $3)
---- customers/insert_session.sql
INSERT INTO session (id, account_id, created_at, expires_at)
VALUES ($1, $2, $3, $4)
---- customers/insert_signing_key.sql
INSERT INTO signing_key (name, secret, created_at)
VALUES ('access', $1, $2)
ON CONFLICT (name) DO NOTHING
---- customers/list_accounts.sql
-- Newest first, like the customers.
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.id < coalesce($1, unhex('ffffffffffffffffffffffffffffffff'))
ORDER BY a.id DESC
LIMIT $2
---- customers/list_addresses.sql
SELECT name, recipient, line1, line2, city, region, postal_code, country, updated_at
FROM customer_address
WHERE customer_id = $1
ORDER BY name
---- customers/list_customers.sql
-- Newest first: the ids are UUIDv7, and none of those is as high as the one that stands for "from
-- the newest on".
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version
FROM customer c
WHERE c.id < coalesce($1, unhex('ffffffffffffffffffffffffffffffff')) AND c.erased_at IS NULL
ORDER BY c.id DESC
LIMIT $2
---- customers/list_keys.sql
-- Newest first, like the customers.
SELECT id, name, scopes, created_at, (revoked_at IS NOT NULL) AS revoked, prefix, expires_at,
       last_used_at
FROM api_key
WHERE id < coalesce($1, unhex('ffffffffffffffffffffffffffffffff'))
ORDER BY id DESC
LIMIT $2
---- customers/lock_account.sql
-- Whatever changes the account or begins a session of it takes this lock first.
SELECT a.id, a.email, a.password_hash, a.role, a.customer_id, a.created_at
FROM account a
WHERE a.id = $1
---- customers/lock_customer.sql
-- Whatever changes the customer or what is theirs takes this lock first.
SELECT c.id, c.external_ref, c.name, c.email, c.default_payment_method, c.created_at,
       coalesce(c.updated_at, c.created_at) AS updated_at, c.version,
       (c.erased_at IS NOT NULL) AS erased
FROM customer c
WHERE c.id = $1
---- customers/lock_session.sql
-- After the account's lock, where both are taken.
SELECT s.id, s.account_id, s.expires_at, s.ended_why
FROM session s
WHERE s.id = $1
---- customers/note_key_uses.sql
UPDATE api_key
SET last_used_at = new.value ->> 1
FROM json_each($1) AS new
WHERE api_key.id = unhex(new.value ->> 0)
  AND (api_key.last_used_at IS NULL OR api_key.last_used_at < new.value ->> 1)
---- customers/put_address.sql
INSERT INTO customer_address (customer_id, name, recipient, line1, line2, city, region, postal_code,
                              country, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
        $10)
ON CONFLICT (customer_id, name) DO UPDATE
SET recipient = excluded.recipient, line1 = excluded.line1, line2 = excluded.line2,
    city = excluded.city, region = excluded.region, postal_code = excluded.postal_code,
    country = excluded.country, updated_at = excluded.updated_at
---- customers/revoke_key.sql
UPDATE api_key
SET revoked_at = $2
WHERE id = $1 AND revoked_at IS NULL
RETURNING secret_hash
---- customers/session_account.sql
-- Whose session it is or was.
SELECT s.account_id FROM session s WHERE s.id = $1
---- customers/use_refresh_token.sql
UPDATE refresh_token
SET used_at = $2
WHERE secret_hash = $1 AND used_at IS NULL
---- flags/changed_flags.sql
SELECT f.key, f.definition, f.revision, f.updated_by, f.updated_at
FROM flag f
WHERE f.revision > $1
ORDER BY f.revision
LIMIT $2
---- flags/find_flag.sql
SELECT f.definition, f.file_definition
FROM flag f
WHERE f.key = $1
---- flags/flag_changes.sql
SELECT c.id, c.at, c.actor, c.old, c.new
FROM flag_change c
WHERE c.key = $1 AND ($2 IS NULL OR c.id < $2)
ORDER BY c.id DESC
LIMIT $3
---- flags/lock_flags.sql
-- There is one writer at a time.
SELECT 1 AS locked
---- flags/note_flag_change.sql
INSERT INTO flag_change (id, key, at, actor, old, new)
VALUES ($1, $2, $3, $4, $5, $6)
---- flags/put_flag.sql
INSERT INTO flag AS old (key, definition, file_definition, revision, updated_by, updated_at)
VALUES ($1, $2, $3, (SELECT coalesce(max(revision), 0) FROM flag) + 1, $4, $5)
ON CONFLICT (key) DO UPDATE
SET definition = excluded.definition,
    file_definition = coalesce(excluded.file_definition, old.file_definition),
    revision = excluded.revision, updated_by = excluded.updated_by,
    updated_at = excluded.updated_at
---- inventory/add_adjustments.sql
INSERT INTO stock_adjustment (id, sku, delta, reason, location, actor, at)
SELECT unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4,
       $2, $3
FROM json_each($1) AS new
---- inventory/add_movements.sql
INSERT INTO stock_movement (id, sku, kind, units, origin, target, order_id, actor, at)
SELECT unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4,
       new.value ->> 5, unhex(new.value ->> 6), $2, $3
FROM json_each($1) AS new
---- inventory/add_reservations.sql
-- An order whose goods were given back may be promised goods again; a live promise stays as it is.
INSERT INTO reservation (order_id, units, reserved_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, $2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (order_id) DO UPDATE
SET units = excluded.units, reserved_at = excluded.reserved_at, released_at = NULL
WHERE reservation.released_at IS NOT NULL
---- inventory/adjust.sql
UPDATE stock
SET on_hand = stock.on_hand + change.delta, version = stock.version + change.steps
FROM (SELECT value ->> 0 AS sku, value ->> 1 AS delta, value ->> 2 AS steps FROM json_each($1))
     AS change
WHERE stock.sku = change.sku
---- inventory/audit_stock.sql
-- Per SKU: the level, what the adjustments add up to, what live reservations hold, and what lies
-- at other locations than the main one.
SELECT sku,
       sum(on_hand) AS on_hand,
       sum(reserved) AS reserved,
       sum(shipped) AS shipped,
       sum(returned) AS returned,
       sum(adjusted) AS adjusted,
       sum(held) AS held,
       sum(elsewhere) AS elsewhere
FROM (
    SELECT sku, on_hand, reserved, shipped, returned, 0 AS adjusted, 0 AS held, 0 AS elsewhere
    FROM stock
    UNION ALL
    SELECT sku, 0, 0, 0, 0, delta, 0, 0 FROM stock_adjustment
    UNION ALL
    SELECT line.value ->> 0, 0, 0, 0, 0, 0, line.value ->> 1, 0
    FROM reservation, json_each(reservation.units) AS line
    WHERE released_at IS NULL
    UNION ALL
    SELECT sku, 0, 0, 0, 0, 0, 0, on_hand FROM stock_at
) AS books
GROUP BY sku
ORDER BY sku
---- inventory/change_reservations.sql
-- Shrinks or ends live reservations. Each is ended once.
UPDATE reservation
SET units = change.units, released_at = change.released_at
FROM (
    SELECT unhex(value ->> 0) AS order_id, value ->> 1 AS units, value ->> 2 AS released_at
    FROM json_each($1)
) AS change
WHERE reservation.order_id = change.order_id AND reservation.released_at IS NULL
---- inventory/ensure_stock.sql
INSERT INTO stock (sku, on_hand)
SELECT new.value ->> 0, 0 FROM json_each($1) AS new WHERE true
ON CONFLICT (sku) DO NOTHING
---- inventory/find_elsewhere.sql
-- What lies at other locations than the main one.
SELECT there.sku, there.location, place.rank, there.on_hand
FROM stock_at AS there
JOIN stock_location AS place ON place.name = there.location
WHERE there.sku IN (SELECT value ->> 0 FROM json_each($1))
---- inventory/find_locations.sql
SELECT name, rank FROM stock_location WHERE name IN (SELECT value ->> 0 FROM json_each($1))
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
    SELECT 'main' AS name, 0 AS rank
    UNION ALL
    SELECT name, rank FROM stock_location
)
WHERE (rank, name) > ($1, $2)
ORDER BY rank, name
LIMIT $3
---- inventory/list_movements.sql
-- Adjustments and movements of a SKU as one list, newest first, after the row named by $2 and $3.
-- Each half takes no more rows than the page needs.
SELECT id, kind, units, origin, target, order_id, reason, actor, at
FROM (
    SELECT * FROM (
        SELECT id, 'adjustment' AS kind, delta AS units, coalesce(location, 'main') AS origin,
               NULL AS target, NULL AS order_id, reason, actor, at
        FROM stock_adjustment
        WHERE sku = $1 AND (at, id) < ($2, $3)
        ORDER BY at DESC, id DESC
        LIMIT $4
    )
    UNION ALL
    SELECT * FROM (
        SELECT id, kind, units, origin, target, order_id, NULL AS reason, actor, at
        FROM stock_movement
        WHERE sku = $1 AND (at, id) < ($2, $3)
        ORDER BY at DESC, id DESC
        LIMIT $4
    )
)
ORDER BY at DESC, id DESC
LIMIT $4
---- inventory/lock_levels.sql
SELECT sku, on_hand, reserved, version
FROM stock
WHERE sku IN (SELECT value ->> 0 FROM json_each($1))
ORDER BY sku
---- inventory/lock_reservations.sql
SELECT order_id, units
FROM reservation
WHERE order_id IN (SELECT unhex(value ->> 0) FROM json_each($1)) AND released_at IS NULL
ORDER BY order_id
---- inventory/put_elsewhere.sql
-- How many units lie at other locations now.
INSERT INTO stock_at (sku, location, on_hand)
SELECT new.value ->> 0, new.value ->> 1, new.value ->> 2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand
---- inventory/put_location.sql
INSERT INTO stock_location (name, rank, created_at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET rank = excluded.rank
RETURNING name, rank
---- inventory/reserve.sql
-- Promises the units of a whole batch, SKU by SKU, where enough are free.
UPDATE stock
SET reserved = stock.reserved + wanted.units, version = stock.version + 1
FROM (SELECT value ->> 0 AS sku, value ->> 1 AS units FROM json_each($1)) AS wanted
WHERE stock.sku = wanted.sku AND stock.on_hand - stock.reserved >= wanted.units
RETURNING sku
---- inventory/shift_stock.sql
-- Adds to the numbers of shelves, or takes away; the table's constraints refuse what cannot be.
UPDATE stock
SET on_hand = stock.on_hand + change.on_hand,
    reserved = stock.reserved + change.reserved,
    shipped = stock.shipped + change.shipped,
    returned = stock.returned + change.returned,
    version = stock.version + 1
FROM (
    SELECT value ->> 0 AS sku, value ->> 1 AS on_hand, value ->> 2 AS reserved,
           value ->> 3 AS shipped, value ->> 4 AS returned
    FROM json_each($1)
) AS change
WHERE stock.sku = change.sku
---- orders/advance_orders.sql
-- Moves orders that this transaction has locked on by one event each: all that an event can change.
UPDATE orders
SET status = new.status, amount_authorized = new.authorized, amount_captured = new.captured,
    amount_refunded = new.refunded, payment = new.payment, lines = new.lines,
    cancel_requested = new.cancel_requested, goods = new.goods, updated_at = new.updated_at,
    version = new.version
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS status, value ->> 2 AS authorized,
             value ->> 3 AS captured, value ->> 4 AS refunded, value ->> 5 AS payment,
             value ->> 6 AS lines, value ->> 7 AS cancel_requested, value ->> 8 AS goods,
             value ->> 9 AS updated_at, value ->> 10 AS version
      FROM json_each($1)) AS new
WHERE orders.id = new.id AND orders.version = new.version - 1
---- orders/count_stuck.sql
-- Orders whose payment is not known although they were placed before $1.
SELECT count(*) AS orders FROM orders WHERE status = 'pending' AND created_at < $1
---- orders/find_keys.sql
SELECT o.id, o.principal_id, o.idempotency_key, o.fingerprint, o.external_ref, o.customer_id, o.status, o.currency,
       o.amount_subtotal, o.amount_discount, o.amount_tax, o.amount_total, o.amount_authorized,
       o.amount_captured, o.amount_refunded, o.capture, o.payment, o.lines, o.metadata, o.pricing, o.cancel_requested, o.goods, o.created_at, o.updated_at,
       o.version
FROM json_each($1) AS wanted
JOIN orders o ON o.principal_id = unhex(wanted.value ->> 0)
             AND o.idempotency_key = wanted.value ->> 1
---- orders/get_order.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
WHERE id = $1
---- orders/given_up_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
-- Orders that ended although nobody knew of their payment, placed since $1.
WHERE status = 'cancelled' AND payment ->> 'status' = 'sending' AND created_at >= $1 AND id > $3
ORDER BY id
LIMIT $2
---- orders/insert_mismatches.sql
INSERT INTO pricing_mismatch (order_id, at, currency, engine, total, other_engine, other_total, why,
                              trace_id)
SELECT unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 3, new.value ->> 4,
       new.value ->> 5, nullif(new.value ->> 6, -1), new.value ->> 7, new.value ->> 8
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (order_id) DO NOTHING
---- orders/insert_orders.sql
-- Claims the idempotency keys and writes the orders in one. A key that is taken gives no row: its
-- request leaves the batch and is told what the first one was told.
-- JSONB, materialized: each row is parsed once and not once per column.
WITH new AS MATERIALIZED (SELECT key, jsonb(value) AS value FROM json_each($1))
INSERT INTO orders (id, principal_id, idempotency_key, fingerprint, external_ref, customer_id,
                    status, currency, amount_subtotal, amount_discount, amount_tax, amount_total,
                    amount_authorized, amount_captured, amount_refunded, capture, payment, lines,
                    metadata, created_at, updated_at, version, pricing)
SELECT unhex(new.value ->> 0), unhex(new.value ->> 1), new.value ->> 2, unhex(new.value ->> 3),
       new.value ->> 4, unhex(new.value ->> 5), 'pending', new.value ->> 6, new.value ->> 7,
       new.value ->> 8, new.value ->> 9, new.value ->> 10, 0, 0, 0, new.value ->> 11,
       new.value ->> 12, new.value ->> 13, new.value ->> 14, new.value ->> 15, new.value ->> 15, 1,
       new.value ->> 16
FROM new
WHERE true
ON CONFLICT (principal_id, idempotency_key) DO NOTHING
RETURNING id
---- orders/list_mismatches.sql
SELECT m.order_id, m.at, m.currency, m.engine, m.total, m.other_engine, m.other_total, m.why,
       m.trace_id
FROM pricing_mismatch m
WHERE $1 IS NULL OR m.order_id < $1
ORDER BY m.order_id DESC
LIMIT $2
---- orders/list_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
WHERE ($2 IS NULL OR id < $2)
  AND ($6 IS NULL OR id >= $6)
  AND ($3 IS NULL OR status = $3)
  AND ($4 IS NULL OR created_at >= $4)
  AND ($5 IS NULL OR created_at < $5)
ORDER BY id DESC
LIMIT $1
---- orders/list_orders_by_external_ref.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
WHERE external_ref = $7
  AND ($2 IS NULL OR id < $2)
  AND ($6 IS NULL OR id >= $6)
  AND ($3 IS NULL OR status = $3)
  AND ($4 IS NULL OR created_at >= $4)
  AND ($5 IS NULL OR created_at < $5)
ORDER BY id DESC
LIMIT $1
---- orders/list_orders_of_customer.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
WHERE customer_id = $7
  AND ($2 IS NULL OR id < $2)
  AND ($6 IS NULL OR id >= $6)
  AND ($3 IS NULL OR status = $3)
  AND ($4 IS NULL OR created_at >= $4)
  AND ($5 IS NULL OR created_at < $5)
  AND ($8 IS NULL OR external_ref = $8)
ORDER BY id DESC
LIMIT $1
---- orders/lock_orders.sql
-- The orders as they are; SQLite has one writer, and this is it.
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
WHERE id IN (SELECT unhex(value ->> 0) FROM json_each($1))
ORDER BY id
---- orders/orders_by_ids.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
WHERE id IN (SELECT unhex(value ->> 0) FROM json_each($1))
ORDER BY id DESC
---- orders/page_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
WHERE id > $1
ORDER BY id
LIMIT $2
---- orders/pending_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
-- Orders whose payment is not settled although they are older than $1.
WHERE status = 'pending' AND created_at < $1 AND id > $3
ORDER BY id
LIMIT $2
---- orders/stuck_orders.sql
SELECT id, principal_id, idempotency_key, fingerprint, external_ref, customer_id, status, currency,
       amount_subtotal, amount_discount, amount_tax, amount_total, amount_authorized,
       amount_captured, amount_refunded, capture, payment, lines, metadata, pricing, cancel_requested, goods, created_at, updated_at,
       version
FROM orders
-- As pending_orders, but newest first, and before $3.
WHERE status = 'pending' AND created_at < $1 AND ($3 IS NULL OR id < $3)
ORDER BY id DESC
LIMIT $2
---- orders/update_orders.sql
-- Moves orders on by one version each. Whoever comes second with a version finds no row.
UPDATE orders
SET status = new.status, amount_authorized = new.authorized, amount_captured = new.captured,
    amount_refunded = new.refunded, payment = new.payment, goods = new.goods,
    updated_at = new.updated_at, version = new.version
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS status, value ->> 2 AS authorized,
             value ->> 3 AS captured, value ->> 4 AS refunded, value ->> 5 AS payment,
             value ->> 6 AS updated_at, value ->> 7 AS version,
             value ->> 8 AS goods
      FROM json_each($1)) AS new
WHERE orders.id = new.id AND orders.version = new.version - 1
RETURNING id
---- payments/get.sql
SELECT id, order_id, amount, currency, capture, method, status, provider_ref, decline_code
FROM payment
WHERE id = $1
---- payments/handle_events.sql
UPDATE provider_event
SET handled_at = $2
WHERE id IN (SELECT value ->> 0 FROM json_each($1)) AND handled_at IS NULL
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
SELECT unhex(new.value ->> 0), unhex(new.value ->> 1), new.value ->> 2, new.value ->> 3,
       new.value ->> 4, new.value ->> 5, 'sending', $2, $2
FROM json_each($1) AS new
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
    updated_at = $2
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS status, value ->> 2 AS provider_ref,
             value ->> 3 AS decline_code
      FROM json_each($1)) AS known
WHERE payment.id = known.id AND payment.status = 'sending'
---- payments/request_operations.sql
-- Written with the event that asks for them, before the provider is asked (rule D2).
INSERT INTO payment_operation
       (id, order_id, payment_id, leg, kind, amount, currency, status, created_at, updated_at)
SELECT unhex(new.value ->> 0), unhex(new.value ->> 1), unhex(new.value ->> 2), new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, 'open', $2, $2
FROM json_each($1) AS new
---- payments/settle_operations.sql
-- Only an operation that is open takes an outcome: of two settlers the second gets no row.
UPDATE payment_operation
SET status = known.status, provider_ref = known.provider_ref, refusal_code = known.refusal_code,
    updated_at = $2
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS status, value ->> 2 AS provider_ref,
             value ->> 3 AS refusal_code
      FROM json_each($1)) AS known
WHERE payment_operation.id = known.id AND payment_operation.status = 'open'
RETURNING id
---- payments/unhandled_events.sql
SELECT id, type, order_id, received_at
FROM provider_event
WHERE handled_at IS NULL
ORDER BY received_at, id
LIMIT $1
---- shipping/change_shipments.sql
UPDATE shipment
SET status = new.status
FROM (SELECT unhex(value ->> 0) AS order_id, value ->> 1 AS status FROM json_each($1)) AS new
WHERE shipment.order_id = new.order_id
---- shipping/count_shipments.sql
SELECT count(*) AS shipments FROM shipment
---- shipping/prepare_shipments.sql
INSERT INTO shipment (order_id, status, units, created_at)
SELECT unhex(new.value ->> 0), 'preparing', new.value ->> 1, new.value ->> 2
FROM json_each($1) AS new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (order_id) DO NOTHING
---- shipping/shipment_of_order.sql
SELECT status, units, created_at
FROM shipment
WHERE order_id = $1
---- store/append_events.sql
-- One writer at a time: the places need no turn.
-- JSONB, materialized: each row is parsed once and not once per column.
WITH new AS MATERIALIZED (SELECT key, jsonb(value) AS value FROM json_each($1))
INSERT INTO event (partition, id, order_id, version, type, at, actor, cause, trace_id, data)
SELECT new.value ->> 0, unhex(new.value ->> 1), unhex(new.value ->> 2), new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, new.value ->> 7, new.value ->> 8,
       new.value ->> 9
FROM new
ORDER BY new.key
---- store/event_ends.sql
-- For the audit: how many events an order has, and its last version; equal when none is missing.
SELECT order_id, count(*) AS events, max(version) AS last_version
FROM event
WHERE order_id > $1
GROUP BY order_id
ORDER BY order_id
LIMIT $2
---- store/find_answers.sql
SELECT a.principal_id, a.key, a.fingerprint, a.status, a.location, a.etag, a.body, a.created_at
FROM json_each($1) AS wanted
JOIN answer a ON a.principal_id = unhex(wanted.value ->> 0) AND a.key = wanted.value ->> 1
---- store/forget_answers.sql
-- Rows are in the order in which they were written: the oldest are looked at and no other.
DELETE FROM answer
WHERE created_at < $1 AND rowid IN (SELECT rowid FROM answer ORDER BY rowid LIMIT $2)
---- store/forget_leases.sql
DELETE FROM lease WHERE substr(name, 1, length($1)) = $1 AND expires_at < $3 - $2
---- store/list_leases.sql
SELECT name, holder, fence, expires_at >= $2 AS is_live
FROM lease
WHERE substr(name, 1, length($1)) = $1
ORDER BY name
---- store/order_history.sql
SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data
FROM event
WHERE order_id = $1
ORDER BY version
---- store/order_history_after.sql
SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data
FROM event
WHERE order_id = $1 AND version > $2
ORDER BY version
LIMIT $3
---- store/ping.sql
SELECT 1 AS one
---- store/read_earlier_events.sql
-- Like read_wanted_events, backwards. The data of kinds that nobody asked for stay where they are.
SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id,
       CASE WHEN type IN (SELECT wanted.value ->> 0 FROM json_each($1) AS wanted) THEN data END
       AS data
FROM event
WHERE partition = $2 AND seq < $3
ORDER BY seq DESC
LIMIT $4
---- store/read_events.sql
SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data
FROM event
WHERE partition = $1 AND seq > $2
ORDER BY seq
LIMIT $3
---- store/read_wanted_events.sql
-- Of the events that nobody asked for only the last of the page is read out: it tells how far the
-- page went. They would be half of all rows.
WITH page AS (
    SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id, data,
           type IN (SELECT asked.value ->> 0 FROM json_each($1) AS asked) AS wanted,
           count(*) OVER () AS passed, max(seq) OVER () AS last
    FROM (
        SELECT * FROM event WHERE partition = $2 AND seq > $3 ORDER BY seq LIMIT $4
    )
)
SELECT partition, seq, id, order_id, version, type, at, actor, cause, trace_id,
       CASE WHEN wanted THEN data END AS data, passed
FROM page
WHERE wanted OR seq = last
ORDER BY seq
---- store/release_leases.sql
UPDATE lease
SET expires_at = 0
WHERE name = $1 AND holder = $2 AND fence = $3 AND $4 IS NOT NULL
---- store/still_held.sql
SELECT fence FROM lease WHERE name = $1 AND holder = $2 AND fence = $3 AND expires_at >= $4
---- store/store_answers.sql
-- The first answer that was given stays the answer for ever.
-- JSONB, materialized: each row is parsed once and not once per column.
WITH new AS MATERIALIZED (SELECT key, jsonb(value) AS value FROM json_each($1))
INSERT INTO answer (principal_id, key, fingerprint, status, location, etag, body, created_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, unhex(new.value ->> 2), new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, new.value ->> 7
FROM new
WHERE true -- keeps the parser from reading ON as a join's
ON CONFLICT (principal_id, key) DO NOTHING
---- store/store_new_answers.sql
-- For keys that have no answer yet.
-- JSONB, materialized: each row is parsed once and not once per column.
WITH new AS MATERIALIZED (SELECT jsonb(value) AS value FROM json_each($1))
INSERT INTO answer (principal_id, key, fingerprint, status, location, etag, body, created_at)
SELECT unhex(new.value ->> 0), new.value ->> 1, unhex(new.value ->> 2), new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, new.value ->> 7
FROM new
---- store/take_leases.sql
-- Renews, and takes what nobody holds.
INSERT INTO lease (name, holder, fence, expires_at)
SELECT value ->> 0, $2, 1, $4 + $3 FROM json_each($1) WHERE true
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, expires_at = excluded.expires_at,
    fence = lease.fence + (lease.holder <> excluded.holder)
WHERE lease.holder = excluded.holder OR lease.expires_at < $4
RETURNING name, fence
