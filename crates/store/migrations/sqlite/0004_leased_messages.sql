-- Whoever takes a message says so, and until when. Here it is always the one process that has the
-- folder; what another one took is nobody's any more once the data are opened again.

ALTER TABLE outbox ADD COLUMN
    -- While sending: the instance whose attempt it is.
    holder TEXT;

ALTER TABLE outbox ADD COLUMN
    -- While sending: from then on the holder is taken for dead.
    leased_until INTEGER;
