-- The schema of the shop. Each table belongs to one service; nobody else names it in SQL, and no
-- foreign key crosses from one service's tables to another's. Texts that are keys compare by
-- bytes (COLLATE "C"), as the program does, so that locks are taken in the order it expects.

-- store: the log of events. Timeline of an order and outbox in one.
CREATE SEQUENCE event_seq CACHE 1;

CREATE TABLE event (
    -- Place in the log. Drawn under the lock of the partition, which is held until commit: within
    -- a partition a later place is never visible before an earlier one.
    partition smallint    NOT NULL,
    seq       bigint      NOT NULL DEFAULT nextval('event_seq'),
    id        uuid        NOT NULL,
    order_id  uuid        NOT NULL,
    version   bigint      NOT NULL CHECK (version >= 1),
    type      text        NOT NULL,
    at        timestamptz NOT NULL,
    actor     text        NOT NULL,
    cause     text        NOT NULL,
    trace_id  text        NOT NULL,
    data      json        NOT NULL,
    PRIMARY KEY (partition, seq),
    -- One event per version: two writers of one order can never both win.
    UNIQUE (order_id, version)
);

-- store: answers given to requests that carry an idempotency key. Written once, never changed.
CREATE TABLE answer (
    principal_id uuid        NOT NULL,
    key          text        COLLATE "C" NOT NULL,
    fingerprint  bytea       NOT NULL,
    status       smallint    NOT NULL,
    location     text,
    etag         text,
    body         text        NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (principal_id, key)
);

-- broker: how far each consumer group has come in each partition. The row is the group's inbox:
-- it moves in the same transaction as the effect of the events it passes.
CREATE TABLE consumer_position (
    consumer  text     NOT NULL,
    partition smallint NOT NULL,
    seq       bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (consumer, partition)
);

-- broker: events that a consumer could not digest, and those of the same order behind them.
CREATE TABLE parked_event (
    consumer        text        NOT NULL,
    order_id        uuid        NOT NULL,
    version         bigint      NOT NULL,
    partition       smallint    NOT NULL,
    seq             bigint      NOT NULL,
    attempts        bigint      NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    -- Set when the attempts are used up; then it is a dead letter and waits for a person.
    dead_since      timestamptz,
    last_error      text        NOT NULL,
    PRIMARY KEY (consumer, order_id, version)
);
CREATE INDEX parked_event_due ON parked_event (consumer, partition, next_attempt_at)
    WHERE dead_since IS NULL;

-- catalog
CREATE TABLE product (
    sku         text   COLLATE "C" PRIMARY KEY,
    name        text   NOT NULL,
    category    text   NOT NULL,
    unit_amount bigint NOT NULL CHECK (unit_amount >= 0),
    currency    text   NOT NULL,
    active      boolean NOT NULL,
    -- Rises with every change of any product: a node asks for what is newer than what it has.
    revision    bigint NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX product_revision ON product (revision);
CREATE SEQUENCE product_revision_seq CACHE 1;

-- customers
CREATE TABLE customer (
    id                     uuid PRIMARY KEY,
    external_ref           text COLLATE "C" UNIQUE,
    name                   text NOT NULL,
    email                  text,
    default_payment_method text,
    created_at             timestamptz NOT NULL
);

CREATE TABLE api_key (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    -- SHA-256 of the whole key. The key has 256 random bits, so no slow hash is needed.
    secret_hash bytea NOT NULL UNIQUE,
    scopes      text NOT NULL,
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);

-- inventory
CREATE TABLE stock (
    sku      text   COLLATE "C" PRIMARY KEY,
    on_hand  bigint NOT NULL CHECK (on_hand >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    shipped  bigint NOT NULL DEFAULT 0 CHECK (shipped >= 0),
    version  bigint NOT NULL DEFAULT 1,
    -- Never promise what is not there, whatever the program does.
    CONSTRAINT stock_never_oversold CHECK (reserved <= on_hand)
) WITH (fillfactor = 50); -- rows change often: room for the new version on the same page

CREATE TABLE reservation (
    order_id    uuid PRIMARY KEY,
    -- [["sku", units], …]: read and written whole, so one row per order and not one per line.
    units       json NOT NULL,
    reserved_at timestamptz NOT NULL,
    released_at timestamptz
);

CREATE TABLE stock_adjustment (
    id           uuid PRIMARY KEY,
    sku          text COLLATE "C" NOT NULL,
    delta        bigint NOT NULL,
    reason       text NOT NULL,
    actor        text NOT NULL,
    at           timestamptz NOT NULL
);
CREATE INDEX stock_adjustment_sku ON stock_adjustment (sku);

-- payments
CREATE TABLE payment (
    id           uuid PRIMARY KEY,
    order_id     uuid   NOT NULL,
    amount       bigint NOT NULL CHECK (amount > 0),
    currency     text   NOT NULL,
    capture      text   NOT NULL,
    method       text   NOT NULL,
    status       text   NOT NULL,
    provider_ref text,
    decline_code text,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
) WITH (fillfactor = 80); -- each row is updated once, when the provider has answered
CREATE UNIQUE INDEX payment_order ON payment (order_id);

-- orders
CREATE TABLE orders (
    id                uuid PRIMARY KEY,
    principal_id      uuid   NOT NULL,
    idempotency_key   text   COLLATE "C" NOT NULL,
    fingerprint       bytea  NOT NULL,
    external_ref      text   COLLATE "C",
    customer_id       uuid,
    status            text   NOT NULL,
    currency          text   NOT NULL,
    amount_subtotal   bigint NOT NULL,
    amount_discount   bigint NOT NULL,
    amount_tax        bigint NOT NULL,
    amount_total      bigint NOT NULL,
    amount_authorized bigint NOT NULL,
    amount_captured   bigint NOT NULL,
    amount_refunded   bigint NOT NULL,
    capture           text   NOT NULL,
    payment           json   NOT NULL,
    -- The lines belong to the order alone and are read and written with it.
    lines             json   NOT NULL,
    metadata          json   NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    version           bigint NOT NULL,
    -- For ever: a key never makes a second order, even after its answer has expired.
    CONSTRAINT orders_one_per_key UNIQUE (principal_id, idempotency_key),
    CONSTRAINT orders_amounts CHECK (
        amount_total = amount_subtotal - amount_discount + amount_tax
        AND 0 <= amount_refunded AND amount_refunded <= amount_captured
        AND amount_captured <= amount_authorized AND amount_authorized <= amount_total)
) WITH (fillfactor = 80);
CREATE INDEX orders_customer ON orders (customer_id, id) WHERE customer_id IS NOT NULL;
CREATE INDEX orders_external_ref ON orders (external_ref, id) WHERE external_ref IS NOT NULL;
-- What the reconciler looks for; small, because orders do not stay pending.
CREATE INDEX orders_pending ON orders (id) WHERE status = 'pending';

-- shipping
CREATE TABLE shipment (
    order_id    uuid PRIMARY KEY,
    status      text NOT NULL,
    units       json NOT NULL,
    created_at  timestamptz NOT NULL
);

-- recommendations: what was bought together, one row per order and one per product in it. Pairs are
-- counted when somebody asks: an order of n products has n * (n - 1) of them.
CREATE TABLE basket (
    -- event.seq of the confirmation, which no two events of the whole log share.
    id   bigint PRIMARY KEY,
    -- ["sku", …] in SKU order, each once: read whole.
    skus json NOT NULL
);
CREATE TABLE basket_item (
    sku       text   COLLATE "C" NOT NULL,
    basket_id bigint NOT NULL,
    PRIMARY KEY (sku, basket_id)
);
