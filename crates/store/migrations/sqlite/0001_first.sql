-- Everything that Kulanz keeps. Moments are microseconds since 1970 UTC, days are the number
-- yyyymmdd, amounts are minor units (cents), currencies are ISO 4217 codes.
-- Files in this folder are never changed once released: a change is a new file.

-- One row an account: one debtor at one creditor. The head of its stream.
CREATE TABLE accounts (
    -- Stands for the account in all other tables. Grows; never used again.
    number    INTEGER PRIMARY KEY,
    -- Creditor id.
    creditor  TEXT    NOT NULL,
    -- Debtor id as the creditor names it.
    debtor    TEXT    NOT NULL,
    -- murmur2 partition of `creditor/debtor`.
    partition INTEGER NOT NULL,
    -- Number of events in the stream.
    version   INTEGER NOT NULL,
    -- When to decide next; NULL: only a new fact can change anything.
    wake_at   INTEGER,
    UNIQUE (creditor, debtor)
) STRICT;

CREATE INDEX accounts_wake ON accounts (wake_at) WHERE wake_at IS NOT NULL;

-- What happened, for ever.
CREATE TABLE events (
    -- Place in the global order. One writer and no deletion: the next is always greater.
    position    INTEGER PRIMARY KEY,
    -- Whose.
    account     INTEGER NOT NULL,
    -- 1-based place in the account's stream.
    version     INTEGER NOT NULL,
    -- Kind, e.g. PaymentReceived.
    kind        TEXT    NOT NULL,
    -- JSON of the domain event; no personal data.
    payload     TEXT    NOT NULL,
    -- When it was recorded.
    recorded_at INTEGER NOT NULL,
    -- The inbound event, person or wake-up behind it.
    cause       TEXT    NOT NULL,
    UNIQUE (account, version)
) STRICT;

CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are not changed'); END;

CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are not deleted'); END;

-- State of an account as of a version, to start from instead of the first event.
CREATE TABLE snapshots (
    -- Whose.
    account INTEGER PRIMARY KEY,
    -- Version that the state includes.
    version INTEGER NOT NULL,
    -- State, in the form of the release that wrote it; no personal data.
    state   BLOB    NOT NULL
) STRICT;

-- Inbound events that took effect.
CREATE TABLE inbox (
    -- First 16 bytes of SHA-256 over the length of `source` (8 bytes, little endian), `source`, `id`.
    key BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Keys that seal an account's personal data. Rows are only ever appended, in the order of their
-- accounts, and overwritten in place by others of the same length: a cell that moves between
-- pages could leave a copy of itself behind, and a destroyed key must be nowhere.
CREATE TABLE keys (
    -- Whose.
    account   INTEGER PRIMARY KEY,
    -- Wrapped by the master key; zeros once destroyed.
    wrapped   BLOB    NOT NULL,
    -- 1: destroyed by an erasure.
    destroyed INTEGER NOT NULL
) STRICT;

-- Accounts whose personal data were erased, to be erased again after a restore.
CREATE TABLE erasures (
    -- Whose.
    account  INTEGER PRIMARY KEY,
    -- The account's version after the erasure.
    version  INTEGER NOT NULL
) STRICT;

-- Sealed personal data.
CREATE TABLE secrets (
    -- Whose.
    account INTEGER NOT NULL,
    -- Name within the account: debtor, invoice/R-1, notice/N-1.
    slot    TEXT    NOT NULL,
    -- Sortable; the greatest wins.
    stamp   TEXT    NOT NULL,
    -- Cipher text with its nonce.
    sealed  BLOB    NOT NULL,
    PRIMARY KEY (account, slot)
) STRICT, WITHOUT ROWID;

-- Messages on their way out.
CREATE TABLE outbox (
    -- Order in which they were put.
    number     INTEGER PRIMARY KEY,
    -- Notice id; the idempotency key at the gateway.
    notice     TEXT    NOT NULL UNIQUE,
    -- Whose.
    account    INTEGER NOT NULL,
    -- email, sms, letter.
    channel    TEXT    NOT NULL,
    -- Step of the policy; NULL: an answer to a debtor's own request.
    step       TEXT,
    -- queued, sending, sent, suppressed, parked, unknown.
    state      TEXT    NOT NULL,
    -- Attempts begun.
    attempts   INTEGER NOT NULL,
    -- Not before.
    next_at    INTEGER NOT NULL,
    -- When it was decided.
    decided_at INTEGER NOT NULL,
    -- When the state last changed.
    changed_at INTEGER NOT NULL,
    -- Last failure or reason; no personal data.
    detail     TEXT
) STRICT;

CREATE INDEX outbox_queue ON outbox (next_at) WHERE state = 'queued';
CREATE INDEX outbox_state ON outbox (state);

-- Links that open a debtor's page.
CREATE TABLE paylinks (
    -- SHA-256 of the token.
    token_hash BLOB    NOT NULL PRIMARY KEY,
    -- Which account it opens.
    account    INTEGER NOT NULL,
    -- Notice that it was sent with.
    notice     TEXT,
    -- When it was made.
    created_at INTEGER NOT NULL,
    -- From when on it opens nothing.
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX paylinks_account ON paylinks (account);

-- Read model: one row an account and currency.
CREATE TABLE books (
    -- Whose.
    account     INTEGER NOT NULL,
    -- Currency of the amounts.
    currency    TEXT    NOT NULL,
    -- Invoiced, with the latest adjustments, without cancelled claims.
    principal   INTEGER NOT NULL,
    -- Received less returned and refunded.
    paid        INTEGER NOT NULL,
    -- Credit notes.
    credited    INTEGER NOT NULL,
    -- Money beyond what is owed.
    unallocated INTEGER NOT NULL,
    -- Principal still owed.
    outstanding INTEGER NOT NULL,
    -- Fees still owed.
    fees        INTEGER NOT NULL,
    -- Claims, settled or not.
    claims      INTEGER NOT NULL,
    -- Claims with something outstanding.
    open_claims INTEGER NOT NULL,
    PRIMARY KEY (account, currency)
) STRICT, WITHOUT ROWID;

-- Read model: one row a claim.
CREATE TABLE claims (
    -- Whose.
    account     INTEGER NOT NULL,
    -- Invoice id.
    invoice     TEXT    NOT NULL,
    -- Currency of the amounts.
    currency    TEXT    NOT NULL,
    -- Day of issue.
    issued_on   INTEGER NOT NULL,
    -- Day due, as rescheduled.
    due_on      INTEGER NOT NULL,
    -- Principal with the latest adjustment.
    principal   INTEGER NOT NULL,
    -- Principal still owed.
    outstanding INTEGER NOT NULL,
    -- Fees still owed.
    fees        INTEGER NOT NULL,
    -- Last step taken.
    step        TEXT,
    -- One word for people.
    state       TEXT    NOT NULL,
    PRIMARY KEY (account, invoice)
) STRICT, WITHOUT ROWID;

-- Read model: one row a notice.
CREATE TABLE notices (
    -- Whose.
    account    INTEGER NOT NULL,
    -- Notice id.
    notice     TEXT    NOT NULL,
    -- Step taken with it.
    step       TEXT,
    -- Persona for whom it was tuned.
    persona    TEXT,
    -- email, sms, letter.
    channel    TEXT    NOT NULL,
    -- One word for people.
    state      TEXT    NOT NULL,
    -- When it was decided.
    decided_at INTEGER NOT NULL,
    -- When the gateway took it.
    sent_at    INTEGER,
    PRIMARY KEY (account, notice)
) STRICT, WITHOUT ROWID;

CREATE INDEX notices_decided ON notices (decided_at);

-- Read model: what waits for a person.
CREATE TABLE work (
    -- Whose.
    account INTEGER NOT NULL,
    -- List on which it stands.
    list    TEXT    NOT NULL,
    -- An invoice, a payment, a notice.
    item    TEXT    NOT NULL,
    -- Since when.
    since   INTEGER NOT NULL,
    -- What to do; no personal data.
    detail  TEXT    NOT NULL,
    PRIMARY KEY (account, list, item)
) STRICT, WITHOUT ROWID;

CREATE INDEX work_since ON work (since);
CREATE INDEX work_list ON work (list, since);

-- Inbound messages that could not be taken.
CREATE TABLE dead_letters (
    -- Number by which people name it; never used again.
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    -- When it came.
    received_at INTEGER NOT NULL,
    -- Where it came from.
    origin      TEXT    NOT NULL,
    -- One word.
    reason      TEXT    NOT NULL,
    -- JSON pointer and a sentence; no personal data.
    detail      TEXT    NOT NULL,
    -- The original bytes, sealed.
    sealed      BLOB    NOT NULL,
    -- creditor/debtor whose key sealed it; NULL: the service key.
    account     TEXT,
    -- 1 until it is retried or discarded, then 0.
    open        INTEGER NOT NULL
) STRICT;

CREATE INDEX dead_letters_open ON dead_letters (open) WHERE open = 1;

-- Bearer tokens.
CREATE TABLE tokens (
    -- SHA-256 of the token.
    token_hash BLOB    NOT NULL PRIMARY KEY,
    -- Who holds it.
    person     TEXT    NOT NULL,
    -- events, read, clerk, approver, admin.
    role       TEXT    NOT NULL,
    -- Only this creditor; NULL: all.
    creditor   TEXT,
    -- When it was made.
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Policy versions as they were first used.
CREATE TABLE policies (
    -- Name.
    name          TEXT    NOT NULL,
    -- Version.
    version       INTEGER NOT NULL,
    -- SHA-256 over all its files, hex.
    hash          TEXT    NOT NULL,
    -- The files, as JSON {path: text}.
    sources       TEXT    NOT NULL,
    -- When it was registered.
    registered_at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;

-- Handoff folders.
CREATE TABLE placements (
    -- Placement id.
    placement  TEXT    NOT NULL PRIMARY KEY,
    -- creditor/debtor.
    account    TEXT    NOT NULL,
    -- Agency id.
    agency     TEXT    NOT NULL,
    -- asked, released, delivered, recalled.
    state      TEXT    NOT NULL,
    -- When the state last changed.
    changed_at INTEGER NOT NULL
) STRICT;

CREATE INDEX placements_changed ON placements (changed_at);

-- Attempts to pay through a provider.
CREATE TABLE checkouts (
    -- Our reference.
    checkout   TEXT    NOT NULL PRIMARY KEY,
    -- creditor/debtor.
    account    TEXT    NOT NULL,
    -- Provider.
    provider   TEXT    NOT NULL,
    -- Minor units.
    amount     INTEGER NOT NULL,
    -- Currency of the amount.
    currency   TEXT    NOT NULL,
    -- open, paid, failed, void.
    state      TEXT    NOT NULL,
    -- When it was made.
    created_at INTEGER NOT NULL,
    -- When the state last changed.
    changed_at INTEGER NOT NULL
) STRICT;

CREATE INDEX checkouts_account ON checkouts (account, created_at);

-- Settings that belong to the data.
CREATE TABLE meta (
    -- Name, e.g. served_from/lindenmoor.
    key   TEXT NOT NULL PRIMARY KEY,
    -- Value.
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
