-- Several instances send messages: whoever takes one says so, and until when.

ALTER TABLE outbox ADD COLUMN holder text;
COMMENT ON COLUMN outbox.holder IS 'While sending: the instance whose attempt it is';

ALTER TABLE outbox ADD COLUMN leased_until timestamptz;
COMMENT ON COLUMN outbox.leased_until IS 'While sending, by this server''s clock: from then on the holder is taken for dead';
