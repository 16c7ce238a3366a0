-- Everything that Kulanz keeps, in the schema `kulanz`; what others may read of it, in the schema
-- `kulanz_bi`. Amounts are minor units (cents), currencies are ISO 4217 codes. Ids are compared by
-- their bytes (COLLATE "C"). Nothing here joins or refers across accounts where it is written.
-- Files in this folder are never changed once released: a change is a new file.

CREATE TABLE accounts (
    number    bigint      GENERATED ALWAYS AS IDENTITY,
    creditor  text        COLLATE "C" NOT NULL,
    debtor    text        COLLATE "C" NOT NULL,
    partition integer     NOT NULL,
    version   bigint      NOT NULL,
    wake_at   timestamptz,
    CONSTRAINT accounts_pkey PRIMARY KEY (number),
    CONSTRAINT accounts_creditor_debtor_key UNIQUE (creditor, debtor)
) WITH (fillfactor = 80);
COMMENT ON TABLE accounts IS 'One row an account: one debtor at one creditor. The head of its stream';
COMMENT ON COLUMN accounts.number IS 'Stands for the account in all other tables';
COMMENT ON COLUMN accounts.creditor IS 'Creditor id';
COMMENT ON COLUMN accounts.debtor IS 'Debtor id as the creditor names it';
COMMENT ON COLUMN accounts.partition IS 'murmur2 partition of creditor/debtor';
COMMENT ON COLUMN accounts.version IS 'Number of events in the stream';
COMMENT ON COLUMN accounts.wake_at IS 'When to decide next; NULL: only a new fact can change anything';

CREATE INDEX accounts_wake ON accounts (wake_at) WHERE wake_at IS NOT NULL;

-- Positions are handed out in blocks of 1000, so that a batch knows those of all its events before
-- it writes the first. Without a cache: a number is greater than all handed out before it.
CREATE SEQUENCE event_blocks AS bigint MINVALUE 1 CACHE 1;
COMMENT ON SEQUENCE event_blocks IS 'Blocks of 1000 positions in the global order of events';

CREATE TABLE events (
    position    bigint      NOT NULL,
    account     bigint      NOT NULL,
    version     bigint      NOT NULL,
    kind        text        NOT NULL,
    payload     text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    cause       text        NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (account, version)
) PARTITION BY HASH (account);
COMMENT ON TABLE events IS 'What happened, for ever: neither changed nor deleted';
COMMENT ON COLUMN events.position IS 'Place in the global order; has holes. Read it only up to the high-water mark: greater ones may commit earlier';
COMMENT ON COLUMN events.account IS 'Whose';
COMMENT ON COLUMN events.version IS '1-based place in the account''s stream';
COMMENT ON COLUMN events.kind IS 'Kind, e.g. PaymentReceived';
COMMENT ON COLUMN events.payload IS 'JSON of the domain event; no personal data';
COMMENT ON COLUMN events.recorded_at IS 'When it was recorded';
COMMENT ON COLUMN events.cause IS 'The inbound event, person or wake-up behind it';

CREATE INDEX events_position ON events (position);

CREATE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are neither changed nor deleted';
END
$$;
COMMENT ON FUNCTION events_stay() IS 'Refuses whatever is not an INSERT';

-- Rights and triggers of a partition are its own: a statement may name it instead of the whole.
DO $$
DECLARE
    part text;
BEGIN
    FOR number IN 0..15 LOOP
        part := format('events_%s', lpad(number::text, 2, '0'));
        EXECUTE format('CREATE TABLE %I PARTITION OF events '
            'FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, number);
        EXECUTE format('COMMENT ON TABLE %I IS %L', part, 'A sixteenth of the accounts'' events');
    END LOOP;
    FOR part IN SELECT relid::regclass::text FROM pg_partition_tree('events') LOOP
        EXECUTE format('CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION events_stay()', part);
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM CURRENT_USER, PUBLIC', part);
    END LOOP;
END
$$;

CREATE TABLE snapshots (
    account bigint NOT NULL,
    version bigint NOT NULL,
    state   bytea  NOT NULL,
    CONSTRAINT snapshots_pkey PRIMARY KEY (account)
);
COMMENT ON TABLE snapshots IS 'State of an account as of a version, to start from instead of the first event';
COMMENT ON COLUMN snapshots.account IS 'Whose';
COMMENT ON COLUMN snapshots.version IS 'Version that the state includes';
COMMENT ON COLUMN snapshots.state IS 'State, in the form of the release that wrote it; no personal data';

CREATE TABLE inbox (
    key bytea NOT NULL,
    CONSTRAINT inbox_pkey PRIMARY KEY (key)
);
COMMENT ON TABLE inbox IS 'Inbound events that took effect';
COMMENT ON COLUMN inbox.key IS 'First 16 bytes of SHA-256 over the length of source (8 bytes, little endian), source, id';

-- Row versions that a key left behind go at the next round of autovacuum, not when a fifth of all
-- rows has changed: a destroyed key should lie in the table's file no longer than it must.
CREATE TABLE keys (
    account   bigint  NOT NULL,
    wrapped   bytea   NOT NULL,
    destroyed boolean NOT NULL,
    CONSTRAINT keys_pkey PRIMARY KEY (account)
) WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
COMMENT ON TABLE keys IS 'Keys that seal an account''s personal data';
COMMENT ON COLUMN keys.account IS 'Whose';
COMMENT ON COLUMN keys.wrapped IS 'Wrapped by the master key; empty once destroyed';
COMMENT ON COLUMN keys.destroyed IS 'Whether an erasure destroyed it';

CREATE TABLE erasures (
    account bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT erasures_pkey PRIMARY KEY (account)
);
COMMENT ON TABLE erasures IS 'Accounts whose personal data were erased, to be erased again after a restore';
COMMENT ON COLUMN erasures.account IS 'Whose';
COMMENT ON COLUMN erasures.version IS 'The account''s version after the erasure';

CREATE TABLE secrets (
    account bigint NOT NULL,
    slot    text   COLLATE "C" NOT NULL,
    stamp   text   COLLATE "C" NOT NULL,
    sealed  bytea  NOT NULL,
    CONSTRAINT secrets_pkey PRIMARY KEY (account, slot)
);
COMMENT ON TABLE secrets IS 'Sealed personal data';
COMMENT ON COLUMN secrets.account IS 'Whose';
COMMENT ON COLUMN secrets.slot IS 'Name within the account: debtor, invoice/R-1, notice/N-1';
COMMENT ON COLUMN secrets.stamp IS 'Sortable; the greatest wins';
COMMENT ON COLUMN secrets.sealed IS 'Cipher text with its nonce';

CREATE TABLE outbox (
    number     bigint      GENERATED ALWAYS AS IDENTITY,
    notice     text        COLLATE "C" NOT NULL,
    account    bigint      NOT NULL,
    channel    text        NOT NULL,
    step       text,
    state      text        NOT NULL,
    attempts   bigint      NOT NULL,
    next_at    timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    detail     text,
    CONSTRAINT outbox_pkey PRIMARY KEY (number),
    CONSTRAINT outbox_notice_key UNIQUE (notice)
);
COMMENT ON TABLE outbox IS 'Messages on their way out';
COMMENT ON COLUMN outbox.number IS 'Order in which they were put';
COMMENT ON COLUMN outbox.notice IS 'Notice id; the idempotency key at the gateway';
COMMENT ON COLUMN outbox.account IS 'Whose';
COMMENT ON COLUMN outbox.channel IS 'email, sms, letter';
COMMENT ON COLUMN outbox.step IS 'Step of the policy; NULL: an answer to a debtor''s own request';
COMMENT ON COLUMN outbox.state IS 'queued, sending, sent, suppressed, parked, unknown';
COMMENT ON COLUMN outbox.attempts IS 'Attempts begun';
COMMENT ON COLUMN outbox.next_at IS 'Not before';
COMMENT ON COLUMN outbox.decided_at IS 'When it was decided';
COMMENT ON COLUMN outbox.changed_at IS 'When the state last changed';
COMMENT ON COLUMN outbox.detail IS 'Last failure or reason; no personal data';

CREATE INDEX outbox_queue ON outbox (next_at, number) WHERE state = 'queued';
CREATE INDEX outbox_state ON outbox (state, number);

CREATE TABLE paylinks (
    token_hash bytea       NOT NULL,
    account    bigint      NOT NULL,
    notice     text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT paylinks_pkey PRIMARY KEY (token_hash)
);
COMMENT ON TABLE paylinks IS 'Links that open a debtor''s page';
COMMENT ON COLUMN paylinks.token_hash IS 'SHA-256 of the token';
COMMENT ON COLUMN paylinks.account IS 'Which account it opens';
COMMENT ON COLUMN paylinks.notice IS 'Notice that it was sent with';
COMMENT ON COLUMN paylinks.created_at IS 'When it was made';
COMMENT ON COLUMN paylinks.expires_at IS 'From when on it opens nothing';

CREATE INDEX paylinks_account ON paylinks (account);

CREATE TABLE books (
    account     bigint NOT NULL,
    currency    text   COLLATE "C" NOT NULL,
    principal   bigint NOT NULL,
    paid        bigint NOT NULL,
    credited    bigint NOT NULL,
    unallocated bigint NOT NULL,
    outstanding bigint NOT NULL,
    fees        bigint NOT NULL,
    claims      bigint NOT NULL,
    open_claims bigint NOT NULL,
    CONSTRAINT books_pkey PRIMARY KEY (account, currency)
) WITH (fillfactor = 80);
COMMENT ON TABLE books IS 'Read side: one row an account and currency';
COMMENT ON COLUMN books.account IS 'Whose';
COMMENT ON COLUMN books.currency IS 'Currency of the amounts';
COMMENT ON COLUMN books.principal IS 'Invoiced, with the latest adjustments, without cancelled claims';
COMMENT ON COLUMN books.paid IS 'Received less returned and refunded';
COMMENT ON COLUMN books.credited IS 'Credit notes';
COMMENT ON COLUMN books.unallocated IS 'Money beyond what is owed';
COMMENT ON COLUMN books.outstanding IS 'Principal still owed';
COMMENT ON COLUMN books.fees IS 'Fees still owed';
COMMENT ON COLUMN books.claims IS 'Claims, settled or not';
COMMENT ON COLUMN books.open_claims IS 'Claims with something outstanding';

CREATE TABLE claims (
    account     bigint NOT NULL,
    invoice     text   COLLATE "C" NOT NULL,
    currency    text   NOT NULL,
    issued_on   date   NOT NULL,
    due_on      date   NOT NULL,
    principal   bigint NOT NULL,
    outstanding bigint NOT NULL,
    fees        bigint NOT NULL,
    step        text,
    state       text   NOT NULL,
    CONSTRAINT claims_pkey PRIMARY KEY (account, invoice)
) WITH (fillfactor = 80);
COMMENT ON TABLE claims IS 'Read side: one row a claim';
COMMENT ON COLUMN claims.account IS 'Whose';
COMMENT ON COLUMN claims.invoice IS 'Invoice id';
COMMENT ON COLUMN claims.currency IS 'Currency of the amounts';
COMMENT ON COLUMN claims.issued_on IS 'Day of issue';
COMMENT ON COLUMN claims.due_on IS 'Day due, as rescheduled';
COMMENT ON COLUMN claims.principal IS 'Principal with the latest adjustment';
COMMENT ON COLUMN claims.outstanding IS 'Principal still owed';
COMMENT ON COLUMN claims.fees IS 'Fees still owed';
COMMENT ON COLUMN claims.step IS 'Last step taken';
COMMENT ON COLUMN claims.state IS 'One word for people: open, settled, disputed, planned, promised, placed';

CREATE TABLE notices (
    account    bigint      NOT NULL,
    notice     text        COLLATE "C" NOT NULL,
    step       text        COLLATE "C",
    persona    text        COLLATE "C",
    channel    text        COLLATE "C" NOT NULL,
    state      text        COLLATE "C" NOT NULL,
    decided_at timestamptz NOT NULL,
    sent_at    timestamptz,
    CONSTRAINT notices_pkey PRIMARY KEY (account, notice)
);
COMMENT ON TABLE notices IS 'Read side: one row a notice';
COMMENT ON COLUMN notices.account IS 'Whose';
COMMENT ON COLUMN notices.notice IS 'Notice id';
COMMENT ON COLUMN notices.step IS 'Step taken with it';
COMMENT ON COLUMN notices.persona IS 'Persona for whom it was tuned';
COMMENT ON COLUMN notices.channel IS 'email, sms, letter';
COMMENT ON COLUMN notices.state IS 'One word for people: decided, sent, suppressed, parked, unknown, bounced';
COMMENT ON COLUMN notices.decided_at IS 'When it was decided';
COMMENT ON COLUMN notices.sent_at IS 'When the gateway took it';

CREATE INDEX notices_decided ON notices (decided_at, account, notice);

CREATE TABLE work (
    account bigint      NOT NULL,
    list    text        COLLATE "C" NOT NULL,
    item    text        COLLATE "C" NOT NULL,
    since   timestamptz NOT NULL,
    detail  text        NOT NULL,
    CONSTRAINT work_pkey PRIMARY KEY (account, list, item)
);
COMMENT ON TABLE work IS 'Read side: what waits for a person';
COMMENT ON COLUMN work.account IS 'Whose';
COMMENT ON COLUMN work.list IS 'List on which it stands';
COMMENT ON COLUMN work.item IS 'An invoice, a payment, a notice';
COMMENT ON COLUMN work.since IS 'Since when';
COMMENT ON COLUMN work.detail IS 'What to do; no personal data';

CREATE INDEX work_since ON work (since);
CREATE INDEX work_list ON work (list, since);

CREATE TABLE dead_letters (
    number      bigint      GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL,
    origin      text        NOT NULL,
    reason      text        NOT NULL,
    detail      text        NOT NULL,
    sealed      bytea       NOT NULL,
    account     text,
    open        boolean     NOT NULL,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (number)
);
COMMENT ON TABLE dead_letters IS 'Inbound messages that could not be taken';
COMMENT ON COLUMN dead_letters.number IS 'Number by which people name it';
COMMENT ON COLUMN dead_letters.received_at IS 'When it came';
COMMENT ON COLUMN dead_letters.origin IS 'Where it came from';
COMMENT ON COLUMN dead_letters.reason IS 'One word';
COMMENT ON COLUMN dead_letters.detail IS 'JSON pointer and a sentence; no personal data';
COMMENT ON COLUMN dead_letters.sealed IS 'The original bytes, sealed';
COMMENT ON COLUMN dead_letters.account IS 'creditor/debtor whose key sealed it; NULL: the service key';
COMMENT ON COLUMN dead_letters.open IS 'Until it is retried or discarded';

CREATE INDEX dead_letters_open ON dead_letters (number) WHERE open;

CREATE TABLE tokens (
    token_hash bytea       NOT NULL,
    person     text        COLLATE "C" NOT NULL,
    role       text        NOT NULL,
    creditor   text,
    created_at timestamptz NOT NULL,
    CONSTRAINT tokens_pkey PRIMARY KEY (token_hash)
);
COMMENT ON TABLE tokens IS 'Bearer tokens';
COMMENT ON COLUMN tokens.token_hash IS 'SHA-256 of the token';
COMMENT ON COLUMN tokens.person IS 'Who holds it';
COMMENT ON COLUMN tokens.role IS 'events, read, clerk, approver, admin';
COMMENT ON COLUMN tokens.creditor IS 'Only this creditor; NULL: all';
COMMENT ON COLUMN tokens.created_at IS 'When it was made';

CREATE TABLE policies (
    name          text        COLLATE "C" NOT NULL,
    version       bigint      NOT NULL,
    hash          text        NOT NULL,
    sources       text        NOT NULL,
    registered_at timestamptz NOT NULL,
    CONSTRAINT policies_pkey PRIMARY KEY (name, version)
);
COMMENT ON TABLE policies IS 'Policy versions as they were first used';
COMMENT ON COLUMN policies.name IS 'Name';
COMMENT ON COLUMN policies.version IS 'Version';
COMMENT ON COLUMN policies.hash IS 'SHA-256 over all its files, hex';
COMMENT ON COLUMN policies.sources IS 'The files, as JSON {path: text}';
COMMENT ON COLUMN policies.registered_at IS 'When it was registered';

CREATE TABLE placements (
    placement  text        COLLATE "C" NOT NULL,
    account    text        COLLATE "C" NOT NULL,
    agency     text        NOT NULL,
    state      text        NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT placements_pkey PRIMARY KEY (placement)
);
COMMENT ON TABLE placements IS 'Handoff folders';
COMMENT ON COLUMN placements.placement IS 'Placement id';
COMMENT ON COLUMN placements.account IS 'creditor/debtor';
COMMENT ON COLUMN placements.agency IS 'Agency id';
COMMENT ON COLUMN placements.state IS 'asked, released, delivered, recalled';
COMMENT ON COLUMN placements.changed_at IS 'When the state last changed';

CREATE INDEX placements_changed ON placements (changed_at);

CREATE TABLE checkouts (
    checkout   text        COLLATE "C" NOT NULL,
    account    text        COLLATE "C" NOT NULL,
    provider   text        NOT NULL,
    amount     bigint      NOT NULL,
    currency   text        NOT NULL,
    state      text        NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT checkouts_pkey PRIMARY KEY (checkout)
);
COMMENT ON TABLE checkouts IS 'Attempts to pay through a provider';
COMMENT ON COLUMN checkouts.checkout IS 'Our reference';
COMMENT ON COLUMN checkouts.account IS 'creditor/debtor';
COMMENT ON COLUMN checkouts.provider IS 'Provider';
COMMENT ON COLUMN checkouts.amount IS 'Minor units';
COMMENT ON COLUMN checkouts.currency IS 'Currency of the amount';
COMMENT ON COLUMN checkouts.state IS 'open, paid, failed, void';
COMMENT ON COLUMN checkouts.created_at IS 'When it was made';
COMMENT ON COLUMN checkouts.changed_at IS 'When the state last changed';

CREATE INDEX checkouts_account ON checkouts (account, created_at);

CREATE TABLE meta (
    key   text COLLATE "C" NOT NULL,
    value text NOT NULL,
    CONSTRAINT meta_pkey PRIMARY KEY (key)
);
COMMENT ON TABLE meta IS 'Settings that belong to the data';
COMMENT ON COLUMN meta.key IS 'Name, e.g. served_from/lindenmoor';
COMMENT ON COLUMN meta.value IS 'Value';

-- What others may read: no keys, no sealed data, no tokens.
CREATE SCHEMA IF NOT EXISTS kulanz_bi;
COMMENT ON SCHEMA kulanz_bi IS 'Kulanz for reporting tools: read only, no personal data beyond the ids that creditors chose';

CREATE VIEW kulanz_bi.accounts AS
    SELECT accounts.creditor, accounts.debtor, books.currency, books.principal, books.paid,
        books.credited, books.unallocated, books.outstanding, books.fees, books.claims,
        books.open_claims, accounts.wake_at AS next_decision_at
    FROM accounts LEFT JOIN books ON books.account = accounts.number;
COMMENT ON VIEW kulanz_bi.accounts IS 'One row an account and currency; currency and amounts are NULL where nothing was invoiced or paid yet';
COMMENT ON COLUMN kulanz_bi.accounts.creditor IS 'Creditor id';
COMMENT ON COLUMN kulanz_bi.accounts.debtor IS 'Debtor id as the creditor names it';
COMMENT ON COLUMN kulanz_bi.accounts.currency IS 'ISO 4217 code of the amounts';
COMMENT ON COLUMN kulanz_bi.accounts.principal IS 'Minor units invoiced, with the latest adjustments, without cancelled claims';
COMMENT ON COLUMN kulanz_bi.accounts.paid IS 'Minor units received less returned and refunded';
COMMENT ON COLUMN kulanz_bi.accounts.credited IS 'Minor units of credit notes';
COMMENT ON COLUMN kulanz_bi.accounts.unallocated IS 'Minor units beyond what is owed';
COMMENT ON COLUMN kulanz_bi.accounts.outstanding IS 'Minor units of principal still owed';
COMMENT ON COLUMN kulanz_bi.accounts.fees IS 'Minor units of fees still owed';
COMMENT ON COLUMN kulanz_bi.accounts.claims IS 'Claims, settled or not';
COMMENT ON COLUMN kulanz_bi.accounts.open_claims IS 'Claims with something outstanding';
COMMENT ON COLUMN kulanz_bi.accounts.next_decision_at IS 'When Kulanz decides about the account next; NULL: only after a new fact';

CREATE VIEW kulanz_bi.claims AS
    SELECT accounts.creditor, accounts.debtor, claims.invoice, claims.currency, claims.issued_on,
        claims.due_on, claims.principal, claims.outstanding, claims.fees, claims.step, claims.state
    FROM claims JOIN accounts ON accounts.number = claims.account;
COMMENT ON VIEW kulanz_bi.claims IS 'One row a claim';
COMMENT ON COLUMN kulanz_bi.claims.creditor IS 'Creditor id';
COMMENT ON COLUMN kulanz_bi.claims.debtor IS 'Debtor id as the creditor names it';
COMMENT ON COLUMN kulanz_bi.claims.invoice IS 'Invoice id';
COMMENT ON COLUMN kulanz_bi.claims.currency IS 'ISO 4217 code of the amounts';
COMMENT ON COLUMN kulanz_bi.claims.issued_on IS 'Day of issue';
COMMENT ON COLUMN kulanz_bi.claims.due_on IS 'Day due, as rescheduled';
COMMENT ON COLUMN kulanz_bi.claims.principal IS 'Minor units with the latest adjustment';
COMMENT ON COLUMN kulanz_bi.claims.outstanding IS 'Minor units of principal still owed';
COMMENT ON COLUMN kulanz_bi.claims.fees IS 'Minor units of fees still owed';
COMMENT ON COLUMN kulanz_bi.claims.step IS 'Last step of the ladder taken';
COMMENT ON COLUMN kulanz_bi.claims.state IS 'open, settled, disputed, planned, promised, placed …';

CREATE VIEW kulanz_bi.notices AS
    SELECT accounts.creditor, accounts.debtor, notices.notice, notices.step, notices.persona,
        notices.channel, notices.state, notices.decided_at, notices.sent_at
    FROM notices JOIN accounts ON accounts.number = notices.account;
COMMENT ON VIEW kulanz_bi.notices IS 'One row a notice';
COMMENT ON COLUMN kulanz_bi.notices.creditor IS 'Creditor id';
COMMENT ON COLUMN kulanz_bi.notices.debtor IS 'Debtor id as the creditor names it';
COMMENT ON COLUMN kulanz_bi.notices.notice IS 'Notice id';
COMMENT ON COLUMN kulanz_bi.notices.step IS 'Step taken with it';
COMMENT ON COLUMN kulanz_bi.notices.persona IS 'Persona for whom it was tuned';
COMMENT ON COLUMN kulanz_bi.notices.channel IS 'email, sms, letter';
COMMENT ON COLUMN kulanz_bi.notices.state IS 'decided, sent, suppressed, parked, unknown, bounced …';
COMMENT ON COLUMN kulanz_bi.notices.decided_at IS 'When it was decided';
COMMENT ON COLUMN kulanz_bi.notices.sent_at IS 'When the gateway took it; NULL: not';
