-- Users: customers that change and are forgotten on request, people who sign in, and what their
-- keys and tokens stand on. All of it is of the customers' service.

ALTER TABLE customer
    -- Rises with each change: what a client has seen, it names with it.
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    -- NULL until the first change.
    ADD COLUMN updated_at timestamptz,
    -- When the person was erased. The row stays: orders and payments name its id.
    ADD COLUMN erased_at timestamptz,
    -- Whoever is erased is erased, whatever the program does.
    ADD CONSTRAINT customer_erased_is_empty CHECK (
        erased_at IS NULL
        OR (external_ref IS NULL AND name = '' AND email IS NULL
            AND default_payment_method IS NULL)
    );

CREATE TABLE customer_address (
    customer_id uuid NOT NULL REFERENCES customer (id),
    -- The client's name of the address, such as 'home'.
    name        text COLLATE "C" NOT NULL,
    recipient   text NOT NULL,
    line1       text NOT NULL,
    line2       text,
    city        text NOT NULL,
    region      text,
    postal_code text,
    -- ISO 3166-1, two capitals.
    country     text NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (customer_id, name)
);

ALTER TABLE api_key
    -- The first characters of the key, for people to tell keys apart. NULL for keys made before.
    ADD COLUMN prefix text,
    ADD COLUMN expires_at timestamptz,
    -- Not exact: written once a minute for the keys that were used.
    ADD COLUMN last_used_at timestamptz;

-- Whoever signs in with a password.
CREATE TABLE account (
    id                  uuid PRIMARY KEY,
    -- In lower case: no two accounts differ in case alone.
    email               text COLLATE "C" NOT NULL,
    -- Argon2id, with its parameters and salt (PHC string).
    password_hash       text NOT NULL,
    role                text NOT NULL,
    customer_id         uuid REFERENCES customer (id),
    created_at          timestamptz NOT NULL,
    password_changed_at timestamptz NOT NULL,
    CONSTRAINT account_email UNIQUE (email),
    CONSTRAINT account_customer UNIQUE (customer_id),
    CONSTRAINT account_role CHECK (role IN ('customer', 'operator', 'admin')),
    -- A customer's account is somebody's; those of the staff are nobody's.
    CONSTRAINT account_of_a_customer CHECK ((role = 'customer') = (customer_id IS NOT NULL))
);

-- From one sign-in to its end: the family of the refresh tokens that follow one another.
CREATE TABLE session (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    -- 'signed_out', 'reused', 'password_changed', 'crowded_out', 'deleted'
    ended_why  text,
    CONSTRAINT session_end CHECK ((ended_at IS NULL) = (ended_why IS NULL))
);
CREATE INDEX session_account ON session (account_id, id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE refresh_token (
    -- SHA-256 of the token, which has 256 random bits.
    secret_hash bytea PRIMARY KEY,
    session_id  uuid NOT NULL REFERENCES session (id),
    created_at  timestamptz NOT NULL,
    -- A token is used once. Whoever comes with a used one is not the only one who has it.
    used_at     timestamptz
);
CREATE INDEX refresh_token_session ON refresh_token (session_id);

-- The secret that signs access tokens, unless the configuration gives one.
CREATE TABLE signing_key (
    name       text COLLATE "C" PRIMARY KEY,
    secret     bytea NOT NULL,
    created_at timestamptz NOT NULL
);
