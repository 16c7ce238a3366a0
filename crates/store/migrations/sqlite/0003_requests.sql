-- Commands that came with an idempotency key, for as long as they can be asked again.
CREATE TABLE requests (
    -- SHA-256 over whose token it was and its key.
    request     BLOB    NOT NULL PRIMARY KEY,
    -- SHA-256 over what was asked.
    fingerprint BLOB    NOT NULL,
    -- When it began.
    begun_at    INTEGER NOT NULL,
    -- The answer, sealed; NULL: there is none yet.
    answer      BLOB
) STRICT, WITHOUT ROWID;

CREATE INDEX requests_begun ON requests (begun_at);
