CREATE TABLE kulanz.requests (
    request     bytea       NOT NULL,
    fingerprint bytea       NOT NULL,
    begun_at    timestamptz NOT NULL,
    answer      bytea,
    CONSTRAINT requests_pkey PRIMARY KEY (request)
);
COMMENT ON TABLE kulanz.requests IS 'Commands that came with an idempotency key, for as long as they can be asked again';
COMMENT ON COLUMN kulanz.requests.request IS 'SHA-256 over whose token it was and its key';
COMMENT ON COLUMN kulanz.requests.fingerprint IS 'SHA-256 over what was asked';
COMMENT ON COLUMN kulanz.requests.begun_at IS 'When it began';
COMMENT ON COLUMN kulanz.requests.answer IS 'The answer, sealed; NULL: there is none yet';

CREATE INDEX requests_begun ON kulanz.requests (begun_at);
