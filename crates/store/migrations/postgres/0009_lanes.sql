-- Messages are taken channel by channel too, so that one whose gateway is slow holds no other up.

DROP INDEX outbox_queue;
CREATE INDEX outbox_queue ON outbox (of_creditor, channel, next_at, number) WHERE state = 'queued';

-- What was never sent is nobody's to read: what such a message said goes. The detail is one word
-- then, the reason. Not where a person said so, or an address bounced, or a try came before a
-- brake's end: a gateway may have taken that.
DELETE FROM secrets USING outbox
    WHERE secrets.account = outbox.account AND secrets.slot = 'notice/' || outbox.notice
    AND outbox.state = 'suppressed' AND outbox.detail NOT LIKE '% %'
    AND (outbox.detail <> 'Braked' OR outbox.attempts = 0);
