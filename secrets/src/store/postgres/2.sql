-- Times are milliseconds since 1970 UTC.
CREATE TABLE auth_method (
    name text COLLATE "C" PRIMARY KEY,
    access_id text COLLATE "C" NOT NULL UNIQUE,
    version bigint NOT NULL,
    is_in_use boolean NOT NULL,
    changed_at bigint NOT NULL,
    method text NOT NULL,
    log_sequence bigint NOT NULL,
    log_digest bytea NOT NULL
);

CREATE TABLE signing_key (
    id text COLLATE "C" PRIMARY KEY,
    public bytea NOT NULL,
    -- What signs, if it does not lie in a file.
    sealed bytea
);

-- Tokens and challenges that were used, as hashes.
CREATE TABLE spent (
    key bytea PRIMARY KEY,
    until bigint NOT NULL
);

CREATE INDEX spent_until ON spent (until);

-- What ended before may have been forgotten. Should a clock be set back, it would look unused.
CREATE TABLE spent_forgotten (
    number bigint PRIMARY KEY CHECK (number = 1),
    until bigint NOT NULL
);

INSERT INTO spent_forgotten (number, until) VALUES (1, 0);
