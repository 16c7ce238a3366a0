-- Messages are taken and counted creditor by creditor, so that the brake of one, however much waits
-- behind it, slows nobody else down.

ALTER TABLE outbox ADD COLUMN of_creditor text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN outbox.of_creditor IS 'The creditor of the message''s account';

UPDATE outbox SET of_creditor = creditor FROM accounts WHERE accounts.number = outbox.account;

-- What waits.
DROP INDEX outbox_queue;
CREATE INDEX outbox_queue ON outbox (of_creditor, next_at, number) WHERE state = 'queued';

-- What left, or may have.
CREATE INDEX outbox_left ON outbox (of_creditor, changed_at)
    WHERE state IN ('sending', 'sent', 'unknown');
