-- Messages are taken channel by channel too, so that one whose gateway is slow holds no other up.

DROP INDEX outbox_queue;
CREATE INDEX outbox_queue ON outbox (of_creditor, channel, next_at) WHERE state = 'queued';

-- What was never sent is nobody's to read: what such a message said goes. The detail is one word
-- then, the reason. Not where a person said so, or an address bounced, or a try came before a
-- brake's end: a gateway may have taken that.
DELETE FROM secrets WHERE (account, slot) IN (
    SELECT account, 'notice/' || notice FROM outbox
    WHERE state = 'suppressed' AND detail NOT LIKE '% %' AND (detail <> 'Braked' OR attempts = 0));
