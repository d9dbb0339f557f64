-- catalog: categories, price lists, promotions, coupons and tax tables. Each is a document that is
-- written and read whole: every node keeps all of them in memory, and no query looks inside. None is
-- ever deleted, so that what refers to one never dangles; it is made inactive.
CREATE TABLE price_rule (
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    definition TEXT NOT NULL,
    -- As with products: a node asks for what is newer than what it has.
    revision   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX price_rule_revision ON price_rule (revision);

-- catalog: what stands on the price lists.
CREATE TABLE list_price (
    price_list  TEXT NOT NULL,
    sku         TEXT NOT NULL,
    -- Null: taken off the list. The row stays, so that other nodes hear of it.
    unit_amount INTEGER CHECK (unit_amount >= 0),
    revision    INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (price_list, sku)
);
CREATE UNIQUE INDEX list_price_revision ON list_price (revision);
