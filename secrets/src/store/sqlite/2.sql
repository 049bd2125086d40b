-- Times are milliseconds since 1970 UTC.
CREATE TABLE auth_method (
    name TEXT PRIMARY KEY,
    access_id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    is_in_use INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    method TEXT NOT NULL,
    log_sequence INTEGER NOT NULL,
    log_digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_key (
    id TEXT PRIMARY KEY,
    public BLOB NOT NULL,
    -- What signs, if it does not lie in a file.
    sealed BLOB
) STRICT, WITHOUT ROWID;

-- Tokens and challenges that were used, as hashes.
CREATE TABLE spent (
    key BLOB PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_until ON spent (until);

-- What ended before may have been forgotten. Should the clock be set back, it would look unused.
CREATE TABLE spent_forgotten (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    until INTEGER NOT NULL
) STRICT;

INSERT INTO spent_forgotten (number, until) VALUES (1, 0);
