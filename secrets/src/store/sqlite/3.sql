-- Access ids are never used again, also when their method is gone and its name means another.
CREATE TABLE used_access_id (
    id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

INSERT INTO used_access_id (id) SELECT access_id FROM auth_method;

-- Nothing that is signed by a key that was dropped is trusted. It is remembered: the machine that
-- has its file would keep it again.
ALTER TABLE signing_key ADD COLUMN is_dropped INTEGER NOT NULL DEFAULT 0;
