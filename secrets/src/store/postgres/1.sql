-- Times are milliseconds since 1970 UTC. Runs with the store's schema as the search path.
CREATE TABLE store (
    number bigint PRIMARY KEY CHECK (number = 1),
    version bigint NOT NULL,
    id text NOT NULL,
    epoch bigint NOT NULL,
    -- It was found to be a copy from the past, and nobody has accepted that yet.
    is_restored boolean NOT NULL,
    -- The database's own identity and timeline when it was last known to be no copy.
    home text NOT NULL,
    -- The end of the store's own log.
    log_sequence bigint,
    log_digest bytea
);

CREATE TABLE definition (
    name text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    is_in_use boolean NOT NULL,
    log_sequence bigint NOT NULL,
    log_digest bytea NOT NULL
);

CREATE TABLE definition_version (
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    changed_at bigint NOT NULL,
    definition text NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE lease (
    id bytea PRIMARY KEY,
    secret text COLLATE "C" NOT NULL,
    secret_version bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    account_id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    path text NOT NULL,
    nonce text NOT NULL,
    identity text COLLATE "C" NOT NULL,
    note text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    max_expires_at bigint NOT NULL,
    access_key_id text,
    sealed bytea,
    due_at bigint,
    attempts bigint NOT NULL,
    failure text,
    fence bigint NOT NULL,
    claimed_until bigint,
    claimed_by text,
    -- The end of the lease's log: cutting off the log's tail shows.
    log_sequence bigint NOT NULL,
    log_digest bytea NOT NULL
);

-- When it can be claimed as due.
CREATE INDEX lease_due ON lease (greatest(due_at, claimed_until)) WHERE due_at IS NOT NULL;
CREATE INDEX lease_by_secret ON lease (secret, state, id);
CREATE INDEX lease_by_identity ON lease (identity, state, id);
CREATE INDEX lease_by_state ON lease (state, id);

CREATE TABLE audit (
    -- Grows with each line of all logs: what tells a copy from the past from the store.
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A lease's id, or a definition's name.
    subject text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    detail text NOT NULL,
    digest bytea NOT NULL,
    UNIQUE (subject, sequence)
);
