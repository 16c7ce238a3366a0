-- Messages are taken and counted creditor by creditor, so that the brake of one, however much waits
-- behind it, slows nobody else down.

-- The creditor of the message's account.
ALTER TABLE outbox ADD COLUMN of_creditor TEXT NOT NULL DEFAULT '';

UPDATE outbox SET of_creditor =
    coalesce((SELECT creditor FROM accounts WHERE accounts.number = outbox.account), '');

-- What waits.
DROP INDEX outbox_queue;
CREATE INDEX outbox_queue ON outbox (of_creditor, next_at) WHERE state = 'queued';

-- What left, or may have.
CREATE INDEX outbox_left ON outbox (of_creditor, changed_at)
    WHERE state IN ('sending', 'sent', 'unknown');
