//! What Kulanz keeps, behind one interface: event streams, heads with snapshots, inbox, wake-ups,
//! outbox, vault, read models.
//!
//! The store knows an event's envelope and nothing of its meaning. Whatever belongs together is
//! one [`Append`], and a [`Store::commit`] writes many appends in one transaction. There are two
//! implementations, SQLite ([`sqlite`]) and PostgreSQL ([`postgres`]); [`contract`] is the suite
//! that both pass.

use async_trait::async_trait;
use jiff::Timestamp;
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, NoticeId, StepName},
};
use thiserror::Error;

mod code;
pub mod contract;
mod maps;
mod partitions;
pub mod postgres;
mod rows;
pub mod sqlite;
mod transfer;

pub use maps::{QuickMap, QuickSet, quick_hash};
pub use partitions::{Partitions, Share};
pub use rows::*;
pub use transfer::{Moved, leave, transfer};

/// A fault of the store. Nothing of the call took effect unless said otherwise.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The medium is full; what was accepted before is safe.
    #[error("no space left for the data: free some and try again")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another process holds the data.
    #[error("the data are in use by another process")]
    InUse,
    /// The database, or what is said of it, does not do; a sentence with what helps.
    #[error("the database cannot be used: {0}")]
    Unusable(String),
    /// The database does not answer, or no longer. What was asked of it did not take effect,
    /// unless the sentence says otherwise; asked again later it may.
    #[error("the database does not answer: {0}")]
    Unreachable(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The data are of a newer release.
    #[error(
        "the data are of schema {found}, this release knows up to {known}: use a newer release"
    )]
    Newer {
        /// Version found.
        found: u32,
        /// Newest version that this release can read.
        known: u32,
    },
    /// The data are of an older release and were opened for reading only.
    #[error(
        "the data are of an earlier release (schema {found}, this one works on {known}): make a copy, \
         then `kulanz serve` brings them up to date"
    )]
    Older {
        /// Version found.
        found: u32,
        /// Version that this release works on.
        known: u32,
    },
    /// A write on a store that was opened for reading only.
    #[error("the data were opened for reading only")]
    ReadOnly,
    /// The caller broke a rule of the interface; the call took no effect.
    #[error("wrong use of the store: {0}")]
    Misused(String),
    /// A row does not have the form that this release writes.
    #[error("damaged data: {0}")]
    Damaged(String),
    /// Anything else that the engine below reports.
    #[error("the store failed")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The store. All calls may be made at once; each sees what was committed before it began.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Writes a batch in one transaction. An append that conflicts leaves the batch without
    /// touching the others; an error means that nothing was written. Durable on return.
    async fn commit(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError>;

    /// Heads of `accounts`, in their order.
    async fn heads(&self, accounts: Vec<AccountId>) -> Result<Vec<Option<Head>>, StoreError>;

    /// Accounts of which a placement ever went out: a `PlacementReleased` is in their log. In no
    /// order.
    async fn placed(&self) -> Result<Vec<AccountId>, StoreError>;

    /// Which of `keys` were recorded before, in their order.
    async fn recorded(&self, keys: Vec<InboxKey>) -> Result<Vec<bool>, StoreError>;

    /// How many inbound events took effect.
    async fn recorded_count(&self) -> Result<u64, StoreError>;

    /// The whole stream of an account after `version`.
    async fn stream(&self, account: AccountId, after: u64) -> Result<Vec<StoredEvent>, StoreError>;

    /// Events in the global order after `position`, at most `limit`; none is ever skipped.
    async fn events_after(&self, position: u64, limit: u32)
    -> Result<Vec<StoredEvent>, StoreError>;

    /// Position of the newest event; 0 where there is none.
    async fn position(&self) -> Result<u64, StoreError>;

    /// Which of `keys` were recorded before, and the versions of the heads of `accounts`, 0 where
    /// there is none, both in their order: one way to the database and back.
    async fn look(
        &self,
        keys: Vec<InboxKey>,
        accounts: Vec<AccountId>,
    ) -> Result<(Vec<bool>, Vec<u64>), StoreError>;

    /// Whether others may write to the same data: whatever is in memory may be behind then.
    fn is_shared(&self) -> bool;

    /// Accounts whose wake-up is at `until` or before, of `share`: earliest first, then those
    /// of others that are overdue, latest first, so that who helps does not meet who is at work
    /// on them. Taking them changes nothing: each stays due until an append moves its wake-up.
    async fn due(
        &self,
        until: Timestamp,
        share: Share,
        limit: u32,
    ) -> Result<Vec<(AccountId, Timestamp)>, StoreError>;

    /// The earliest wake-up in `partitions`.
    async fn next_wake(&self, partitions: Partitions) -> Result<Option<Timestamp>, StoreError>;

    /// Account ids in their order, after `after`, of one creditor or all.
    async fn accounts(
        &self,
        creditor: Option<CreditorId>,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>, StoreError>;

    /// Secrets of an account, in the order of `slots`; an empty one means all, in their order.
    async fn secrets(
        &self,
        account: AccountId,
        slots: Vec<String>,
    ) -> Result<Vec<Secret>, StoreError>;

    /// Secrets of each of several accounts, those in the slots that are named with it, in their
    /// order: one way to the database and back.
    async fn secrets_of(
        &self,
        wanted: Vec<(AccountId, Vec<String>)>,
    ) -> Result<Vec<Vec<Secret>>, StoreError>;

    /// Takes up to `limit` queued messages of a creditor and channel that are due at `now`, earliest
    /// first: they become `Sending`, their attempts count up, durably, before any byte leaves. They
    /// are the lease's holder's for as long as it renews the lease.
    async fn take_outbox(
        &self,
        queue: (CreditorId, Channel),
        now: Timestamp,
        limit: u32,
        lease: Lease,
    ) -> Result<Vec<OutboxRow>, StoreError>;

    /// Takes over up to `limit` messages in `Sending` that nobody goes on with: those whose lease
    /// ran out by the database's clock, and the holder's own, `but` for those that it has not let go
    /// of. They are the lease's holder's from then on; whoever had them can change them no more.
    async fn take_abandoned(
        &self,
        limit: u32,
        lease: Lease,
        but: Vec<NoticeId>,
    ) -> Result<Vec<OutboxRow>, StoreError>;

    /// Renews the lease on messages in `Sending`; whether each is still the holder's.
    async fn renew_lease(
        &self,
        notices: Vec<NoticeId>,
        lease: Lease,
    ) -> Result<Vec<bool>, StoreError>;

    /// Creditors of whom a queued message is due at `now`, in the order of their ids, with its
    /// channel. Asks little, however many messages wait.
    async fn due_queues(&self, now: Timestamp) -> Result<Vec<(CreditorId, Channel)>, StoreError>;

    /// How many messages of a creditor's steps left, or may have (`Sending`, `Sent`, `Unknown`), in
    /// each span from its first moment to before its second. With `decided_after` only those that
    /// were decided later than that.
    async fn departures(
        &self,
        creditor: CreditorId,
        decided_after: Option<Timestamp>,
        spans: Vec<(Timestamp, Timestamp)>,
    ) -> Result<Vec<u64>, StoreError>;

    /// How many messages of a creditor are queued; with `decided_until` those that were decided by
    /// then, with `due` those whose time has come by then.
    async fn queued_count(
        &self,
        creditor: CreditorId,
        decided_until: Option<Timestamp>,
        due: Option<Timestamp>,
    ) -> Result<u64, StoreError>;

    /// The queued messages of a creditor, with the persona of each; those that leave first come
    /// first.
    async fn queued(
        &self,
        creditor: CreditorId,
        limit: u32,
    ) -> Result<Vec<(OutboxRow, Option<String>)>, StoreError>;

    /// Messages in `state`, newest first.
    async fn outbox(
        &self,
        state: Option<OutboxState>,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError>;

    /// One message.
    async fn outbox_row(&self, notice: NoticeId) -> Result<Option<OutboxRow>, StoreError>;

    /// Accounts whose personal data were erased, in the order of their ids: after a restore from
    /// an older copy the same erasures are applied again.
    async fn erasures(&self) -> Result<Vec<AccountId>, StoreError>;

    /// The account behind a paylink's token, also where it has expired.
    async fn paylink(&self, token_hash: [u8; 32]) -> Result<Option<Paylink>, StoreError>;

    /// Totals of the book by currency, over one creditor or all, and the number of accounts.
    async fn book(&self, creditor: Option<CreditorId>) -> Result<(u64, Vec<BookRow>), StoreError>;

    /// Claims of an account as the read side has them.
    async fn claims(&self, account: AccountId) -> Result<Vec<ClaimRow>, StoreError>;

    /// Notices of an account, or of all, newest first.
    async fn notices(
        &self,
        account: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, NoticeRow)>, StoreError>;

    /// Counts of notices by step, channel, persona and state, of one creditor or all.
    async fn notice_counts(
        &self,
        creditor: Option<CreditorId>,
    ) -> Result<Vec<(Option<StepName>, Channel, Option<String>, String, u64)>, StoreError>;

    /// What waits for a person, oldest first.
    async fn work(
        &self,
        list: Option<String>,
        limit: u32,
    ) -> Result<Vec<(AccountId, WorkRow)>, StoreError>;

    /// Replaces the read side of one account as a whole (rebuild).
    async fn replace_views(&self, account: AccountId, views: Views) -> Result<(), StoreError>;

    /// Keeps a dead letter; its number.
    async fn put_dead_letters(&self, letters: Vec<DeadLetter>) -> Result<Vec<u64>, StoreError>;

    /// Dead letters, open ones only or all, oldest first.
    async fn dead_letters(
        &self,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// Closes a dead letter (retried or discarded); whether it was open.
    async fn close_dead_letter(&self, number: u64) -> Result<bool, StoreError>;

    /// Adds a token.
    async fn put_token(&self, token: TokenRow) -> Result<(), StoreError>;

    /// The row of a token.
    async fn token(&self, token_hash: [u8; 32]) -> Result<Option<TokenRow>, StoreError>;

    /// All tokens' rows.
    async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError>;

    /// What is kept of a command that came with an idempotency key and began after `expired`; older
    /// rows are forgotten. One that is a single append is kept by that, with its answer.
    async fn request(
        &self,
        request: [u8; 32],
        expired: Timestamp,
    ) -> Result<Option<RequestRow>, StoreError>;

    /// Keeps a command that begins, or one that came to nothing with its answer, unless it had begun
    /// after `expired`: then it is left alone and the row of the first one is the answer. Older
    /// rows are forgotten. Of several at the same time one gets `None`.
    async fn begin_request(
        &self,
        request: RequestRow,
        expired: Timestamp,
    ) -> Result<Option<RequestRow>, StoreError>;

    /// Keeps the answer to a command that began; with `None` the command is forgotten.
    async fn end_request(
        &self,
        request: [u8; 32],
        answer: Option<Vec<u8>>,
    ) -> Result<(), StoreError>;

    /// Registers a policy version; the row in force under that name and version, which differs
    /// in its hash where other content was registered before.
    async fn register_policy(&self, policy: PolicyRow) -> Result<PolicyRow, StoreError>;

    /// A registered policy version.
    async fn policy(&self, name: String, version: u32) -> Result<Option<PolicyRow>, StoreError>;

    /// Puts or moves a placement.
    async fn put_placement(&self, placement: PlacementRow) -> Result<(), StoreError>;

    /// Placements, newest first.
    async fn placements(&self) -> Result<Vec<PlacementRow>, StoreError>;

    /// Puts or moves a checkout.
    async fn put_checkout(&self, checkout: CheckoutRow) -> Result<(), StoreError>;

    /// Checkouts of an account, newest first.
    async fn checkouts(&self, account: AccountId) -> Result<Vec<CheckoutRow>, StoreError>;

    /// One checkout.
    async fn checkout(&self, checkout: String) -> Result<Option<CheckoutRow>, StoreError>;

    /// A setting kept with the data (`served_from/lindenmoor`, `rebuild/after` …).
    async fn meta(&self, key: String) -> Result<Option<String>, StoreError>;

    /// Sets or, with `None`, removes a setting.
    async fn put_meta(&self, key: String, value: Option<String>) -> Result<(), StoreError>;

    /// As [`Self::put_meta`], where the setting is `expected`; whether it was. Of several that change
    /// it at once each sees what the one before left.
    async fn swap_meta(
        &self,
        key: String,
        expected: Option<String>,
        value: Option<String>,
    ) -> Result<bool, StoreError>;

    /// Takes or renews the lease `name` for `seconds` from now; whether `holder` has it then. Of
    /// several holders one has it at a time; 0 seconds give it up. The database's clock counts,
    /// so that those of the instances may differ.
    ///
    /// A lease saves double work. It does not keep a holder that was stopped for longer than
    /// `seconds` from going on: what must not happen twice needs a version or a unique row too.
    async fn lease(&self, name: String, holder: String, seconds: u32) -> Result<bool, StoreError>;

    /// Brings all writes into the main file and checks the store's own integrity; what is wrong.
    async fn check(&self) -> Result<Vec<String>, StoreError>;
}
