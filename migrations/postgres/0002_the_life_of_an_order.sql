-- What an order goes through after the sale, and what keeps several nodes out of each other's way.

-- store: leases. Work that one node at a time is to do. Judged by the database's clock alone; each
-- takeover raises the fence, and what the holder writes says with which fence it holds.
CREATE TABLE lease (
    name       text   COLLATE "C" PRIMARY KEY,
    holder     uuid   NOT NULL,
    fence      bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Answers are forgotten after a while. They are written in the order of time, so that a summary per
-- range of pages finds the oldest, and costs next to nothing to keep.
CREATE INDEX answer_created ON answer USING brin (created_at) WITH (autosummarize = on);

-- orders
ALTER TABLE orders
    -- Why the order is to be cancelled as soon as its payment is known.
    ADD COLUMN cancel_requested text,
    -- 'held' while what has not left is promised to the order, 'free' otherwise.
    ADD COLUMN goods text NOT NULL DEFAULT 'held';
UPDATE orders SET goods = 'free' WHERE status = 'rejected';
-- Orders that ended although nobody knows of their payment: it may still come.
CREATE INDEX orders_given_up ON orders (id)
    WHERE status = 'cancelled' AND payment ->> 'status' = 'sending';

-- inventory
ALTER TABLE stock
    -- Units that came back and went to the shelf.
    ADD COLUMN returned bigint NOT NULL DEFAULT 0 CHECK (returned >= 0);

-- Where units lie besides the main location, which holds what the others do not: on_hand of the
-- SKU minus these. Few SKUs have rows here, and the reserving of orders does not touch them.
CREATE TABLE stock_location (
    name       text   COLLATE "C" PRIMARY KEY,
    -- Goods leave the locations in this order, lowest first; the main location has rank 0.
    rank       bigint NOT NULL CHECK (rank >= 0),
    created_at timestamptz NOT NULL
);
CREATE TABLE stock_at (
    sku      text   COLLATE "C" NOT NULL,
    location text   COLLATE "C" NOT NULL,
    on_hand  bigint NOT NULL CHECK (on_hand >= 0),
    PRIMARY KEY (sku, location)
);

-- Every unit that came, left, came back or changed its place. (Adjustments are in
-- stock_adjustment.)
CREATE TABLE stock_movement (
    id       uuid PRIMARY KEY,
    sku      text   COLLATE "C" NOT NULL,
    -- shipment, return, discard, move
    kind     text   NOT NULL,
    units    bigint NOT NULL CHECK (units > 0),
    -- From where to where, as far as it is a place of ours.
    origin   text,
    target   text,
    order_id uuid,
    actor    text   NOT NULL,
    at       timestamptz NOT NULL
);
CREATE INDEX stock_movement_sku ON stock_movement (sku, at, id);
ALTER TABLE stock_adjustment ADD COLUMN location text;
-- The ledger of a SKU is read by time.
DROP INDEX stock_adjustment_sku;
CREATE INDEX stock_adjustment_sku ON stock_adjustment (sku, at, id);

-- payments
CREATE TABLE payment_operation (
    id           uuid PRIMARY KEY,
    order_id     uuid   NOT NULL,
    payment_id   uuid   NOT NULL,
    -- The order's version of the event that asks for it; the provider's key is made of it.
    leg          bigint NOT NULL CHECK (leg >= 2),
    kind         text   NOT NULL,
    amount       bigint NOT NULL CHECK (amount >= 0),
    currency     text   NOT NULL,
    status       text   NOT NULL,
    provider_ref text,
    refusal_code text,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT payment_operation_leg UNIQUE (order_id, leg)
);
CREATE INDEX payment_operation_open ON payment_operation (created_at, id) WHERE status = 'open';

-- What the provider told of its own accord. The event is a hint to look; what it says is not
-- believed (rule D12).
CREATE TABLE provider_event (
    id           text   COLLATE "C" PRIMARY KEY,
    type         text   NOT NULL,
    order_id     uuid,
    received_at  timestamptz NOT NULL,
    handled_at   timestamptz
);
CREATE INDEX provider_event_unhandled ON provider_event (received_at, id) WHERE handled_at IS NULL;
