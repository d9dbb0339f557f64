-- What the rival of the bench writes: the content of our own tables, without what only a product
-- needs (kept answers, who placed the order, metadata, ledgers). In a database of its own.
DROP TABLE IF EXISTS stock, orders, order_line, payment, outbox;

CREATE TABLE stock (
    sku      text   COLLATE "C" PRIMARY KEY,
    on_hand  bigint NOT NULL CHECK (on_hand >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    version  bigint NOT NULL DEFAULT 1,
    CHECK (reserved <= on_hand)
) WITH (fillfactor = 50);
INSERT INTO stock (sku, on_hand) SELECT 'SKU-' || number, 1000000000 FROM generate_series(1, 5000) AS number;

CREATE TABLE orders (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key text   COLLATE "C" NOT NULL UNIQUE,
    status          text   NOT NULL,
    currency        text   NOT NULL,
    amount_total    bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    version         bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX orders_pending ON orders (id) WHERE status = 'pending';

CREATE TABLE order_line (
    order_id    bigint NOT NULL,
    number      bigint NOT NULL,
    sku         text   COLLATE "C" NOT NULL,
    quantity    bigint NOT NULL,
    unit_amount bigint NOT NULL,
    PRIMARY KEY (order_id, number)
);

CREATE TABLE payment (
    order_id     bigint PRIMARY KEY,
    amount       bigint NOT NULL CHECK (amount > 0),
    currency     text   NOT NULL,
    method       text   NOT NULL,
    status       text   NOT NULL,
    provider_ref text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);

CREATE TABLE outbox (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL,
    version  bigint NOT NULL,
    type     text   NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    data     json   NOT NULL,
    UNIQUE (order_id, version)
);
