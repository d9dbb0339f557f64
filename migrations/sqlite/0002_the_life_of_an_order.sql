-- What an order goes through after the sale: the same tables as in ../postgres, where each choice is
-- explained.

-- store: leases. Work that one node at a time is to do. Judged by the database's clock alone; each
-- takeover raises the fence, and what the holder writes says with which fence it holds.
CREATE TABLE lease (
    name       TEXT PRIMARY KEY,
    holder     BLOB   NOT NULL,
    fence      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);

-- orders
-- Why the order is to be cancelled as soon as its payment is known.
ALTER TABLE orders ADD COLUMN cancel_requested TEXT;
-- 'held' while what has not left is promised to the order, 'free' otherwise.
ALTER TABLE orders ADD COLUMN goods TEXT NOT NULL DEFAULT 'held';
UPDATE orders SET goods = 'free' WHERE status = 'rejected';
-- Orders that ended although nobody knows of their payment: it may still come.
CREATE INDEX orders_given_up ON orders (id)
    WHERE status = 'cancelled' AND payment ->> 'status' = 'sending';

-- inventory
-- Units that came back and went to the shelf.
ALTER TABLE stock ADD COLUMN returned INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0);

-- Where units lie besides the main location, which holds what the others do not: on_hand of the
-- SKU minus these. Few SKUs have rows here, and the reserving of orders does not touch them.
CREATE TABLE stock_location (
    name       TEXT PRIMARY KEY,
    -- Goods leave the locations in this order, lowest first; the main location has rank 0.
    rank       INTEGER NOT NULL CHECK (rank >= 0),
    created_at INTEGER NOT NULL
);
CREATE TABLE stock_at (
    sku      TEXT NOT NULL,
    location TEXT NOT NULL,
    on_hand  INTEGER NOT NULL CHECK (on_hand >= 0),
    PRIMARY KEY (sku, location)
);

-- Every unit that came, left, came back or changed its place. (Adjustments are in
-- stock_adjustment.)
CREATE TABLE stock_movement (
    id       BLOB PRIMARY KEY,
    sku      TEXT NOT NULL,
    -- shipment, return, discard, move
    kind     TEXT   NOT NULL,
    units    INTEGER NOT NULL CHECK (units > 0),
    -- From where to where, as far as it is a place of ours.
    origin   TEXT,
    target   TEXT,
    order_id BLOB,
    actor    TEXT   NOT NULL,
    at       INTEGER NOT NULL
);
CREATE INDEX stock_movement_sku ON stock_movement (sku, at, id);
ALTER TABLE stock_adjustment ADD COLUMN location TEXT;
-- The ledger of a SKU is read by time.
DROP INDEX stock_adjustment_sku;
CREATE INDEX stock_adjustment_sku ON stock_adjustment (sku, at, id);

-- payments
CREATE TABLE payment_operation (
    id           BLOB PRIMARY KEY,
    order_id     BLOB   NOT NULL,
    payment_id   BLOB   NOT NULL,
    -- The order's version of the event that asks for it; the provider's key is made of it.
    leg          INTEGER NOT NULL CHECK (leg >= 2),
    kind         TEXT   NOT NULL,
    amount       INTEGER NOT NULL CHECK (amount >= 0),
    currency     TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    provider_ref TEXT,
    refusal_code TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    CONSTRAINT payment_operation_leg UNIQUE (order_id, leg)
);
CREATE INDEX payment_operation_open ON payment_operation (created_at, id) WHERE status = 'open';

-- What the provider told of its own accord. The event is a hint to look; what it says is not
-- believed (rule D12).
CREATE TABLE provider_event (
    id           TEXT PRIMARY KEY,
    type         TEXT   NOT NULL,
    order_id     BLOB,
    received_at  INTEGER NOT NULL,
    handled_at   INTEGER
);
CREATE INDEX provider_event_unhandled ON provider_event (received_at, id) WHERE handled_at IS NULL;
