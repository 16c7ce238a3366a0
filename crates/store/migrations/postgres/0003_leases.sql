-- Who among several instances does what only one should do at a time.

CREATE TABLE leases (
    name   text        COLLATE "C" NOT NULL,
    holder text        NOT NULL,
    until  timestamptz NOT NULL,
    CONSTRAINT leases_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE leases IS 'What one instance does for all, and until when it has said so';
COMMENT ON COLUMN leases.name IS 'What is done, e.g. handoff';
COMMENT ON COLUMN leases.holder IS 'The instance that does it';
COMMENT ON COLUMN leases.until IS 'By this server''s clock; from then on another instance may take it';
