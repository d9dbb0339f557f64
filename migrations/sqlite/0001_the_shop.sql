-- The schema of the shop: the same tables as in ../postgres, where each choice is explained.
-- UUIDs are BLOBs of 16 bytes, moments are microseconds since 1970, JSON is text.

-- store: the log of events. Timeline of an order and outbox in one.
CREATE TABLE event (
    -- One writer at a time, so the rising row id is the order of commits.
    seq       INTEGER     PRIMARY KEY AUTOINCREMENT,
    partition INTEGER    NOT NULL,
    id        BLOB        NOT NULL,
    order_id  BLOB        NOT NULL,
    version   INTEGER      NOT NULL CHECK (version >= 1),
    type      TEXT        NOT NULL,
    at        INTEGER NOT NULL,
    actor     TEXT        NOT NULL,
    cause     TEXT        NOT NULL,
    trace_id  TEXT        NOT NULL,
    data      TEXT        NOT NULL,
    -- One event per version: two writers of one order can never both win.
    UNIQUE (order_id, version)
);
CREATE INDEX event_partition ON event (partition, seq);

-- store: answers given to requests that carry an idempotency key. Written once, never changed.
CREATE TABLE answer (
    principal_id BLOB        NOT NULL,
    key          TEXT        NOT NULL,
    fingerprint  BLOB       NOT NULL,
    status       INTEGER    NOT NULL,
    location     TEXT,
    etag         TEXT,
    body         TEXT        NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (principal_id, key)
);

-- broker: how far each consumer group has come in each partition. The row is the group's inbox:
-- it moves in the same transaction as the effect of the events it passes.
CREATE TABLE consumer_position (
    consumer  TEXT     NOT NULL,
    partition INTEGER NOT NULL,
    seq       INTEGER   NOT NULL DEFAULT 0,
    PRIMARY KEY (consumer, partition)
);

-- broker: events that a consumer could not digest, and those of the same order behind them.
CREATE TABLE parked_event (
    consumer        TEXT        NOT NULL,
    order_id        BLOB        NOT NULL,
    version         INTEGER      NOT NULL,
    partition       INTEGER    NOT NULL,
    seq             INTEGER      NOT NULL,
    attempts        INTEGER      NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    -- Set when the attempts are used up; then it is a dead letter and waits for a person.
    dead_since      INTEGER,
    last_error      TEXT        NOT NULL,
    PRIMARY KEY (consumer, order_id, version)
);
CREATE INDEX parked_event_due ON parked_event (consumer, partition, next_attempt_at)
    WHERE dead_since IS NULL;

-- catalog
CREATE TABLE product (
    sku         TEXT   PRIMARY KEY,
    name        TEXT   NOT NULL,
    category    TEXT   NOT NULL,
    unit_amount INTEGER NOT NULL CHECK (unit_amount >= 0),
    currency    TEXT   NOT NULL,
    active      INTEGER NOT NULL,
    -- Rises with every change of any product: a node asks for what is newer than what it has.
    revision    INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
);
CREATE UNIQUE INDEX product_revision ON product (revision);

-- customers
CREATE TABLE customer (
    id                     BLOB PRIMARY KEY,
    external_ref           TEXT UNIQUE,
    name                   TEXT NOT NULL,
    email                  TEXT,
    default_payment_method TEXT,
    created_at             INTEGER NOT NULL
);

CREATE TABLE api_key (
    id          BLOB PRIMARY KEY,
    name        TEXT NOT NULL,
    -- SHA-256 of the whole key. The key has 256 random bits, so no slow hash is needed.
    secret_hash BLOB NOT NULL UNIQUE,
    scopes      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
);

-- inventory
CREATE TABLE stock (
    sku      TEXT   PRIMARY KEY,
    on_hand  INTEGER NOT NULL CHECK (on_hand >= 0),
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    shipped  INTEGER NOT NULL DEFAULT 0 CHECK (shipped >= 0),
    version  INTEGER NOT NULL DEFAULT 1,
    -- Never promise what is not there, whatever the program does.
    CONSTRAINT stock_never_oversold CHECK (reserved <= on_hand)
);

CREATE TABLE reservation (
    order_id    BLOB PRIMARY KEY,
    -- [["sku", units], …]: read and written whole, so one row per order and not one per line.
    units       TEXT NOT NULL,
    reserved_at INTEGER NOT NULL,
    released_at INTEGER
);

CREATE TABLE stock_adjustment (
    id           BLOB PRIMARY KEY,
    sku          TEXT NOT NULL,
    delta        INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    actor        TEXT NOT NULL,
    at           INTEGER NOT NULL
);
CREATE INDEX stock_adjustment_sku ON stock_adjustment (sku);

-- payments
CREATE TABLE payment (
    id           BLOB PRIMARY KEY,
    order_id     BLOB   NOT NULL,
    amount       INTEGER NOT NULL CHECK (amount > 0),
    currency     TEXT   NOT NULL,
    capture      TEXT   NOT NULL,
    method       TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    provider_ref TEXT,
    decline_code TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX payment_order ON payment (order_id);

-- orders
CREATE TABLE orders (
    id                BLOB PRIMARY KEY,
    principal_id      BLOB   NOT NULL,
    idempotency_key   TEXT   NOT NULL,
    fingerprint       BLOB  NOT NULL,
    external_ref      TEXT  ,
    customer_id       BLOB,
    status            TEXT   NOT NULL,
    currency          TEXT   NOT NULL,
    amount_subtotal   INTEGER NOT NULL,
    amount_discount   INTEGER NOT NULL,
    amount_tax        INTEGER NOT NULL,
    amount_total      INTEGER NOT NULL,
    amount_authorized INTEGER NOT NULL,
    amount_captured   INTEGER NOT NULL,
    amount_refunded   INTEGER NOT NULL,
    capture           TEXT   NOT NULL,
    payment           TEXT   NOT NULL,
    -- The lines belong to the order alone and are read and written with it.
    lines             TEXT   NOT NULL,
    metadata          TEXT   NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    version           INTEGER NOT NULL,
    -- For ever: a key never makes a second order, even after its answer has expired.
    CONSTRAINT orders_one_per_key UNIQUE (principal_id, idempotency_key),
    CONSTRAINT orders_amounts CHECK (
        amount_total = amount_subtotal - amount_discount + amount_tax
        AND 0 <= amount_refunded AND amount_refunded <= amount_captured
        AND amount_captured <= amount_authorized AND amount_authorized <= amount_total)
);
CREATE INDEX orders_customer ON orders (customer_id, id) WHERE customer_id IS NOT NULL;
CREATE INDEX orders_external_ref ON orders (external_ref, id) WHERE external_ref IS NOT NULL;
-- What the reconciler looks for; small, because orders do not stay pending.
CREATE INDEX orders_pending ON orders (id) WHERE status = 'pending';

-- shipping
CREATE TABLE shipment (
    order_id    BLOB PRIMARY KEY,
    status      TEXT NOT NULL,
    units       TEXT NOT NULL,
    created_at  INTEGER NOT NULL
);

-- recommendations: what was bought together, one row per order and one per product in it. Pairs are
-- counted when somebody asks: an order of n products has n * (n - 1) of them.
CREATE TABLE basket (
    -- event.seq of the confirmation, which no two events of the whole log share.
    id   INTEGER PRIMARY KEY,
    -- ["sku", …] in SKU order, each once: read whole.
    skus TEXT NOT NULL
);
CREATE TABLE basket_item (
    sku       TEXT NOT NULL,
    basket_id INTEGER NOT NULL,
    PRIMARY KEY (sku, basket_id)
) WITHOUT ROWID;
