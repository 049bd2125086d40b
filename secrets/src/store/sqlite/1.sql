-- Times are milliseconds since 1970 UTC.
CREATE TABLE store (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    -- It was found to be a copy from the past, and nobody has accepted that yet.
    is_restored INTEGER NOT NULL,
    -- The end of the store's own log.
    log_sequence INTEGER,
    log_digest BLOB
) STRICT;

CREATE TABLE definition (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    is_in_use INTEGER NOT NULL,
    log_sequence INTEGER NOT NULL,
    log_digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE definition_version (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    id BLOB NOT NULL UNIQUE,
    secret TEXT NOT NULL,
    secret_version INTEGER NOT NULL,
    state TEXT NOT NULL,
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    nonce TEXT NOT NULL,
    identity TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    max_expires_at INTEGER NOT NULL,
    access_key_id TEXT,
    sealed BLOB,
    due_at INTEGER,
    attempts INTEGER NOT NULL,
    failure TEXT,
    fence INTEGER NOT NULL,
    claimed_until INTEGER,
    claimed_by TEXT,
    -- The end of the lease's log: cutting off the log's tail shows.
    log_sequence INTEGER NOT NULL,
    log_digest BLOB NOT NULL,
    -- When it can be claimed as due.
    free_at INTEGER AS (max(due_at, coalesce(claimed_until, 0))) VIRTUAL
) STRICT;

CREATE INDEX lease_due ON lease (free_at) WHERE due_at IS NOT NULL;
CREATE INDEX lease_by_secret ON lease (secret, state, id);
CREATE INDEX lease_by_identity ON lease (identity, state, id);
CREATE INDEX lease_by_state ON lease (state, id);

CREATE TABLE audit (
    -- Counts the lines of all logs: what tells a copy from the past from the store.
    number INTEGER PRIMARY KEY,
    -- The bytes of a lease's id, or a definition's name.
    subject ANY NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    digest BLOB NOT NULL,
    UNIQUE (subject, sequence)
) STRICT;
