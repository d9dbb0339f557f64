-- orders: how an order was priced, where it was not simply price by quantity. Null for all others.
ALTER TABLE orders ADD COLUMN pricing TEXT;

-- orders: orders of which another engine would have wanted another total.
CREATE TABLE pricing_mismatch (
    order_id     BLOB PRIMARY KEY,
    at           INTEGER NOT NULL,
    currency     TEXT   NOT NULL,
    engine       TEXT   NOT NULL,
    total        INTEGER NOT NULL,
    other_engine TEXT   NOT NULL,
    -- Null: the other engine refused the order, and why says why.
    other_total  INTEGER,
    why          TEXT,
    trace_id     TEXT   NOT NULL
);

-- catalog: how many orders use each coupon. The row is locked by whoever takes a coupon or gives one
-- back, so that a limit holds whatever happens at the same time.
CREATE TABLE coupon_count (
    coupon TEXT PRIMARY KEY,
    used   INTEGER NOT NULL CHECK (used >= 0)
);
CREATE TABLE coupon_use (
    order_id    BLOB NOT NULL,
    coupon      TEXT NOT NULL,
    customer_id BLOB,
    used_at     INTEGER NOT NULL,
    -- Set when the order ended without effect: the coupon can be used again.
    released_at INTEGER,
    PRIMARY KEY (order_id, coupon)
);
CREATE INDEX coupon_use_customer ON coupon_use (coupon, customer_id) WHERE released_at IS NULL;

-- flags
CREATE TABLE flag (
    key             TEXT PRIMARY KEY,
    definition      TEXT NOT NULL,
    -- As the file of flags had it when it was last taken over: what has not changed there since then
    -- does not undo what was set otherwise.
    file_definition TEXT,
    revision        INTEGER NOT NULL,
    updated_by      TEXT NOT NULL,
    updated_at      INTEGER NOT NULL
);
CREATE UNIQUE INDEX flag_revision ON flag (revision);
CREATE TABLE flag_change (
    id    BLOB PRIMARY KEY,
    key   TEXT NOT NULL,
    at    INTEGER NOT NULL,
    actor TEXT NOT NULL,
    old   TEXT,
    new   TEXT NOT NULL
);
CREATE INDEX flag_change_key ON flag_change (key, id);
