-- Whoever sends a message, hours later, goes on with the trace of the decision.

ALTER TABLE outbox ADD COLUMN
    -- W3C traceparent of the decision; NULL: it is not traced.
    traceparent TEXT;
