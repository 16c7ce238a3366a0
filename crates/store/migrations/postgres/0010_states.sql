-- Queued messages have an index of their own, outbox_queue. While there were few messages the planner took
-- them from this one as gladly, and kept to that plan when hundreds of thousands waited.

DROP INDEX outbox_state;
CREATE INDEX outbox_state ON outbox (state, number) WHERE state <> 'queued';
