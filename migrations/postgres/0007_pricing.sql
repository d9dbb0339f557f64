-- orders: how an order was priced, where it was not simply price by quantity. Null for all others.
ALTER TABLE orders ADD COLUMN pricing json;

-- orders: orders of which another engine would have wanted another total.
CREATE TABLE pricing_mismatch (
    order_id     uuid PRIMARY KEY,
    at           timestamptz NOT NULL,
    currency     text   NOT NULL,
    engine       text   NOT NULL,
    total        bigint NOT NULL,
    other_engine text   NOT NULL,
    -- Null: the other engine refused the order, and why says why.
    other_total  bigint,
    why          text,
    trace_id     text   NOT NULL
);

-- catalog: how many orders use each coupon. The row is locked by whoever takes a coupon or gives one
-- back, so that a limit holds whatever happens at the same time.
CREATE TABLE coupon_count (
    coupon text COLLATE "C" PRIMARY KEY,
    used   bigint NOT NULL CHECK (used >= 0)
);
CREATE TABLE coupon_use (
    order_id    uuid NOT NULL,
    coupon      text COLLATE "C" NOT NULL,
    customer_id uuid,
    used_at     timestamptz NOT NULL,
    -- Set when the order ended without effect: the coupon can be used again.
    released_at timestamptz,
    PRIMARY KEY (order_id, coupon)
);
CREATE INDEX coupon_use_customer ON coupon_use (coupon, customer_id) WHERE released_at IS NULL;

-- flags
CREATE TABLE flag (
    key             text COLLATE "C" PRIMARY KEY,
    definition      json NOT NULL,
    -- As the file of flags had it when it was last taken over: what has not changed there since then
    -- does not undo what was set otherwise.
    file_definition json,
    revision        bigint NOT NULL,
    updated_by      text NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE UNIQUE INDEX flag_revision ON flag (revision);
CREATE SEQUENCE flag_revision_seq CACHE 1;
CREATE TABLE flag_change (
    id    uuid PRIMARY KEY,
    key   text COLLATE "C" NOT NULL,
    at    timestamptz NOT NULL,
    actor text NOT NULL,
    old   json,
    new   json NOT NULL
);
CREATE INDEX flag_change_key ON flag_change (key, id);
