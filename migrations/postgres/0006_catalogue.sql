-- catalog: categories, price lists, promotions, coupons and tax tables. Each is a document that is
-- written and read whole: every node keeps all of them in memory, and no query looks inside. None is
-- ever deleted, so that what refers to one never dangles; it is made inactive.
CREATE TABLE price_rule (
    kind       text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    definition json NOT NULL,
    -- As with products: a node asks for what is newer than what it has.
    revision   bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX price_rule_revision ON price_rule (revision);

-- catalog: what stands on the price lists.
CREATE TABLE list_price (
    price_list  text COLLATE "C" NOT NULL,
    sku         text COLLATE "C" NOT NULL,
    -- Null: taken off the list. The row stays, so that other nodes hear of it.
    unit_amount bigint CHECK (unit_amount >= 0),
    revision    bigint NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (price_list, sku)
);
CREATE UNIQUE INDEX list_price_revision ON list_price (revision);
CREATE SEQUENCE price_revision_seq CACHE 1;
