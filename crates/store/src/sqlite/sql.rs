//! Statements of the write path, which the bare loop of the benchmark shares.

pub(super) const FIND_HEAD: &str =
    "SELECT number, version, wake_at FROM accounts WHERE creditor = ?1 AND debtor = ?2";
pub(super) const NEW_HEAD: &str = "INSERT INTO accounts \
    (creditor, debtor, partition, version, wake_at) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const MOVE_HEAD: &str = "UPDATE accounts SET version = ?2 WHERE number = ?1";
pub(super) const MOVE_HEAD_AND_WAKE: &str =
    "UPDATE accounts SET version = ?2, wake_at = ?3 WHERE number = ?1";
pub(super) const ADD_EVENT: &str = "INSERT INTO events \
    (account, version, kind, payload, recorded_at, cause) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
pub(super) const PUT_SNAPSHOT: &str = "INSERT INTO snapshots (account, version, state) \
    VALUES (?1, ?2, ?3) \
    ON CONFLICT DO UPDATE SET version = excluded.version, state = excluded.state";
pub(super) const REMEMBER: &str = "INSERT INTO inbox (key) VALUES (?1) ON CONFLICT DO NOTHING";
pub(super) const FORGET_SECRET: &str = "DELETE FROM secrets WHERE account = ?1 AND slot = ?2";
pub(super) const FORGET: &str = "DELETE FROM inbox WHERE key = ?1";
pub(super) const CREATE_KEY: &str = "INSERT INTO keys (account, wrapped, destroyed) \
    VALUES (?1, ?2, 0) \
    ON CONFLICT DO UPDATE SET wrapped = excluded.wrapped, destroyed = 0 WHERE destroyed = 1";
pub(super) const PUT_SECRET: &str = "INSERT INTO secrets (account, slot, stamp, sealed) \
    VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT DO UPDATE SET stamp = excluded.stamp, sealed = excluded.sealed \
    WHERE excluded.stamp >= stamp";
pub(super) const PUT_MESSAGE: &str = "INSERT INTO outbox (notice, account, channel, step, state, \
    attempts, next_at, decided_at, changed_at, detail, of_creditor, traceparent) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING";
pub(super) const MOVE_MESSAGE: &str = "UPDATE outbox SET state = ?2, next_at = ?3, \
    changed_at = ?4, detail = ?5 WHERE notice = ?1";
pub(super) const PUT_PAYLINK: &str = "INSERT INTO paylinks \
    (token_hash, account, notice, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const PUT_BOOK: &str = "INSERT INTO books (account, currency, principal, paid, \
    credited, unallocated, outstanding, fees, claims, open_claims) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
    ON CONFLICT DO UPDATE SET principal = excluded.principal, paid = excluded.paid, \
    credited = excluded.credited, unallocated = excluded.unallocated, \
    outstanding = excluded.outstanding, fees = excluded.fees, claims = excluded.claims, \
    open_claims = excluded.open_claims";
pub(super) const PUT_CLAIM: &str = "INSERT INTO claims (account, invoice, currency, issued_on, \
    due_on, principal, outstanding, fees, step, state) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
    ON CONFLICT DO UPDATE SET currency = excluded.currency, issued_on = excluded.issued_on, \
    due_on = excluded.due_on, principal = excluded.principal, \
    outstanding = excluded.outstanding, fees = excluded.fees, step = excluded.step, \
    state = excluded.state";
pub(super) const PUT_NOTICE: &str = "INSERT INTO notices (account, notice, step, persona, \
    channel, state, decided_at, sent_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
    ON CONFLICT DO UPDATE SET step = excluded.step, persona = excluded.persona, \
    channel = excluded.channel, state = excluded.state, decided_at = excluded.decided_at, \
    sent_at = excluded.sent_at";
pub(super) const PUT_WORK: &str =
    "INSERT INTO work (account, list, item, since, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
