-- Whoever sends a message, hours later and elsewhere, goes on with the trace of the decision.

ALTER TABLE outbox ADD COLUMN traceparent text COLLATE "C";
COMMENT ON COLUMN outbox.traceparent IS 'W3C traceparent of the decision; NULL: it is not traced';
