-- Users: customers that change and are forgotten on request, people who sign in, and what their
-- keys and tokens stand on. All of it is of the customers' service.

-- Rises with each change: what a client has seen, it names with it.
ALTER TABLE customer ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
-- NULL until the first change.
ALTER TABLE customer ADD COLUMN updated_at INTEGER;
-- When the person was erased. The row stays: orders and payments name its id. Whoever is erased is
-- erased, whatever the program does.
ALTER TABLE customer ADD COLUMN erased_at INTEGER
    CONSTRAINT customer_erased_is_empty CHECK (
        erased_at IS NULL
        OR (external_ref IS NULL AND name = '' AND email IS NULL
            AND default_payment_method IS NULL)
    );

CREATE TABLE customer_address (
    customer_id BLOB NOT NULL REFERENCES customer (id),
    -- The client's name of the address, such as 'home'.
    name        TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    line1       TEXT NOT NULL,
    line2       TEXT,
    city        TEXT NOT NULL,
    region      TEXT,
    postal_code TEXT,
    -- ISO 3166-1, two capitals.
    country     TEXT NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (customer_id, name)
) WITHOUT ROWID;

-- The first characters of the key, for people to tell keys apart. NULL for keys made before.
ALTER TABLE api_key ADD COLUMN prefix TEXT;
ALTER TABLE api_key ADD COLUMN expires_at INTEGER;
-- Not exact: written once a minute for the keys that were used.
ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;

-- Whoever signs in with a password.
CREATE TABLE account (
    id                  BLOB PRIMARY KEY,
    -- In lower case: no two accounts differ in case alone.
    email               TEXT NOT NULL,
    -- Argon2id, with its parameters and salt (PHC string).
    password_hash       TEXT NOT NULL,
    role                TEXT NOT NULL,
    customer_id         BLOB REFERENCES customer (id),
    created_at          INTEGER NOT NULL,
    password_changed_at INTEGER NOT NULL,
    CONSTRAINT account_email UNIQUE (email),
    CONSTRAINT account_customer UNIQUE (customer_id),
    CONSTRAINT account_role CHECK (role IN ('customer', 'operator', 'admin')),
    -- A customer's account is somebody's; those of the staff are nobody's.
    CONSTRAINT account_of_a_customer CHECK ((role = 'customer') = (customer_id IS NOT NULL))
);

-- From one sign-in to its end: the family of the refresh tokens that follow one another.
CREATE TABLE session (
    id         BLOB PRIMARY KEY,
    account_id BLOB NOT NULL REFERENCES account (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    -- 'signed_out', 'reused', 'password_changed', 'crowded_out', 'deleted'
    ended_why  TEXT,
    CONSTRAINT session_end CHECK ((ended_at IS NULL) = (ended_why IS NULL))
);
CREATE INDEX session_account ON session (account_id, id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE refresh_token (
    -- SHA-256 of the token, which has 256 random bits.
    secret_hash BLOB PRIMARY KEY,
    session_id  BLOB NOT NULL REFERENCES session (id),
    created_at  INTEGER NOT NULL,
    -- A token is used once. Whoever comes with a used one is not the only one who has it.
    used_at     INTEGER
);
CREATE INDEX refresh_token_session ON refresh_token (session_id);

-- The secret that signs access tokens, unless the configuration gives one.
CREATE TABLE signing_key (
    name       TEXT PRIMARY KEY,
    secret     BLOB NOT NULL,
    created_at INTEGER NOT NULL
);
