//! The rows that go into a store and come out of it, whole: the callers fill in every member.
//!
//! Moments are kept to the microsecond. Wake-ups and next tries are rounded up, so that whoever
//! acts at the moment that the store names is never too early; all others are rounded down.

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, InvoiceId, NoticeId, PlacementId, StepName},
    money::Currency,
};

/// The CloudEvents `source` and `id`: an inbound event takes effect once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InboxKey {
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
}

/// One event to append.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Kind, e.g. `PaymentReceived`.
    pub kind: &'static str,
    /// JSON of the domain event.
    pub payload: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The inbound event, person or wake-up behind it: `source#id`, `person:NAME`, `wake-up`.
    pub cause: String,
}

/// An event as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Place in the global order: strictly increasing, may have holes.
    pub position: u64,
    /// Whose.
    pub account: AccountId,
    /// 1-based place in the account's stream.
    pub version: u64,
    /// Kind.
    pub kind: String,
    /// JSON of the domain event.
    pub payload: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What was behind it.
    pub cause: String,
}

/// Sealed personal data of an account under a name such as `debtor`, `invoice/R-1`, `notice/N-1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Name of the datum within the account.
    pub slot: String,
    /// Sortable; a secret with a smaller stamp never replaces one with a greater.
    pub stamp: String,
    /// Cipher text with its nonce.
    pub sealed: Vec<u8>,
}

/// Where a message stands on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutboxState {
    /// Waits for `next_at`.
    Queued,
    /// An attempt began: bytes may have left.
    Sending,
    /// The gateway took it.
    Sent,
    /// Not sent, because the account changed in between.
    Suppressed,
    /// Given up after the last try, or refused for good: a person looks.
    Parked,
    /// Bytes may have left and no answer came: never resent by itself.
    Unknown,
}

/// A message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The notice; also the idempotency key at the gateway.
    pub notice: NoticeId,
    /// Whose.
    pub account: AccountId,
    /// By which channel.
    pub channel: Channel,
    /// Step of the policy that decided it; `None` for answers to a debtor's own request.
    pub step: Option<StepName>,
    /// State.
    pub state: OutboxState,
    /// Attempts begun.
    pub attempts: u32,
    /// Not before (contact window, backoff).
    pub next_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// When the state last changed.
    pub changed_at: Timestamp,
    /// Last failure or reason, without personal data.
    pub detail: Option<String>,
    /// W3C `traceparent` of the decision, where that is traced.
    pub traceparent: Option<String>,
}

/// Who sends messages, and for how long it says so each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The instance.
    pub holder: String,
    /// From now on, by the database's clock.
    pub seconds: u32,
}

/// A message as somebody has it: one attempt to send it, by whoever took it, or, without a holder, its
/// wait for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    /// The message.
    pub notice: NoticeId,
    /// Who took it; `None`: it is queued, and nobody has it.
    pub holder: Option<String>,
    /// The attempts begun by then.
    pub attempt: u32,
}

/// What becomes of the outbox in an append.
#[derive(Debug, Clone)]
pub enum OutboxChange {
    /// A new message. A second one with the same notice id is an error of the caller.
    Put(OutboxRow),
    /// A new state for a message that exists.
    Move {
        /// Which.
        notice: NoticeId,
        /// To where.
        state: OutboxState,
        /// Next try.
        next_at: Timestamp,
        /// When.
        changed_at: Timestamp,
        /// Why.
        detail: Option<String>,
    },
}

/// A paylink: 128 random bits of which only the SHA-256 is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paylink {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Which account it opens.
    pub account: AccountId,
    /// The notice it was sent with, if any.
    pub notice: Option<NoticeId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it no longer opens anything.
    pub expires_at: Timestamp,
}

/// Read model: one row for each account and currency, in minor units (cents).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BookRow {
    /// Currency of the row.
    pub currency: Currency,
    /// Invoiced, with the latest adjustments and without cancelled claims.
    pub principal: i64,
    /// Received less returned and refunded.
    pub paid: i64,
    /// Credit notes.
    pub credited: i64,
    /// Money beyond what is owed.
    pub unallocated: i64,
    /// Principal still owed.
    pub outstanding: i64,
    /// Fees still owed.
    pub fees: i64,
    /// Claims, settled or not.
    pub claims: i64,
    /// Claims with something outstanding.
    pub open_claims: i64,
}

/// Read model: one row a claim, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimRow {
    /// Lease.
    pub invoice: InvoiceId,
    /// Currency.
    pub currency: Currency,
    /// Day of issue.
    pub issued_on: Date,
    /// Day due, as rescheduled.
    pub due_on: Date,
    /// Principal with the latest adjustment.
    pub principal: i64,
    /// Principal still owed.
    pub outstanding: i64,
    /// Fees still owed.
    pub fees: i64,
    /// Last step taken, if any.
    pub step: Option<StepName>,
    /// One word for people: `open`, `settled`, `disputed`, `planned`, `promised`, `placed` …
    pub state: String,
}

/// Read model: one row a notice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoticeRow {
    /// Notice.
    pub notice: NoticeId,
    /// Step taken with it.
    pub step: Option<StepName>,
    /// Persona for whom it was tuned.
    pub persona: Option<String>,
    /// Channel.
    pub channel: Channel,
    /// `decided`, `sent`, `suppressed`, `parked`, `unknown`, `bounced` …
    pub state: String,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// When the gateway took it.
    pub sent_at: Option<Timestamp>,
}

/// Read model: something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkRow {
    /// `release`, `incomplete_placement`, `hardship`, `help_unanswered`, `unmatched_payment`,
    /// `payment_differs`, `minor`, `old_claim`, `reopening_untold`, `unknown_notice`,
    /// `delivery_stopped` …
    pub list: String,
    /// What it concerns within the account: an invoice, a payment, a notice.
    pub item: String,
    /// Since when.
    pub since: Timestamp,
    /// What to do, without personal data.
    pub detail: String,
}

/// Rows of the read side that replace the account's earlier ones.
#[derive(Debug, Clone, Default)]
pub struct Views {
    /// All books of the account.
    pub books: Vec<BookRow>,
    /// Claims that changed (others stay as they are).
    pub claims: Vec<ClaimRow>,
    /// Notices that changed (others stay as they are).
    pub notices: Vec<NoticeRow>,
    /// All work items of the account.
    pub work: Vec<WorkRow>,
    /// Nothing that was written earlier goes: there were no work items and are none, and books
    /// that are not here stay as they are. Saves the store a look for what has to go.
    pub nothing_goes: bool,
}

/// What becomes of an account's wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// As it was.
    Keep,
    /// At this moment.
    At(Timestamp),
    /// None: only a new fact can change anything.
    Never,
}

/// What becomes of the account's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// As it was.
    Keep,
    /// The account is new: its key, wrapped by the master key.
    Create(Vec<u8>),
    /// Erasure: the key, all secrets and all paylinks of the account go, and the account joins
    /// the list of erasures, which is applied again after a restore.
    Destroy,
}

/// All that one account has to say in a transaction: all of it takes effect, or nothing.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose.
    pub account: AccountId,
    /// murmur2 partition of the account's key.
    pub partition: u16,
    /// Version that the head must have; 0 for a new account.
    pub expected_version: u64,
    /// Events, in order; may be empty where only wake-up, outbox or views change.
    pub events: Vec<NewEvent>,
    /// State after the last of `events`, to start from next time.
    pub snapshot: Option<Vec<u8>>,
    /// Wake-up.
    pub wake: Wake,
    /// Inbound events that take effect with this.
    pub inbox: Vec<InboxKey>,
    /// Commands with an idempotency key that take effect with this, and their answers.
    pub requests: Vec<RequestRow>,
    /// Key of the account.
    pub key: KeyChange,
    /// Sealed personal data.
    pub secrets: Vec<Secret>,
    /// Slots whose sealed data go, those that come with this included; one that is empty stays so.
    pub forgets: Vec<String>,
    /// Messages.
    pub outbox: Vec<OutboxChange>,
    /// Attempts that have to be under way still, and messages that nobody may have taken: where
    /// another one took a message, the append loses.
    pub held: Vec<Held>,
    /// Paylinks.
    pub paylinks: Vec<Paylink>,
    /// Read side; `None` leaves it as it is.
    pub views: Option<Views>,
}

/// How one append of a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Durable; `last_position` of its events, 0 where it had none.
    Committed {
        /// Position of the last event.
        last_position: u64,
    },
    /// The head had another version: load again and decide again.
    Conflict,
    /// One of its inbox keys had been recorded before.
    AlreadyRecorded(InboxKey),
    /// One of its requests had begun or was answered before.
    AlreadyAnswered([u8; 32]),
    /// The attempt at this message is another's by now, or at its end; or somebody took one that
    /// waited.
    NotHeld(NoticeId),
}

/// What is needed to bring an account into memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Version of the stream.
    pub version: u64,
    /// Snapshot and the version it was taken at.
    pub snapshot: Option<(u64, Vec<u8>)>,
    /// Events after the snapshot.
    pub events: Vec<StoredEvent>,
    /// The account's wrapped key; `None` once erased.
    pub key: Option<Vec<u8>>,
    /// Next wake-up.
    pub wake_at: Option<Timestamp>,
}

/// An inbound message that could not be taken, kept until a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Number; 0 for a new one.
    pub number: u64,
    /// When it came.
    pub received_at: Timestamp,
    /// `http`, `file:NAME:LINE`, `kafka:TOPIC/PARTITION@OFFSET`.
    pub origin: String,
    /// A word: `malformed`, `unknown_type`, `unknown_creditor`, `refused` …
    pub reason: String,
    /// JSON pointer and a sentence, without personal data.
    pub detail: String,
    /// The original bytes, sealed.
    pub sealed: Vec<u8>,
    /// The account whose key sealed it; `None`: the service key.
    pub account: Option<AccountId>,
    /// Until it is retried or discarded.
    pub open: bool,
}

/// A bearer token's row: the token itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Person or system that holds it.
    pub person: String,
    /// `events`, `read`, `clerk`, `approver`, `admin`.
    pub role: String,
    /// Only this creditor; `None`: all.
    pub creditor: Option<CreditorId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A command that came with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// SHA-256 over whose token it was and its key.
    pub request: [u8; 32],
    /// SHA-256 over what was asked.
    pub fingerprint: [u8; 32],
    /// When it began.
    pub begun_at: Timestamp,
    /// The answer, sealed; `None`: there is none yet.
    pub answer: Option<Vec<u8>>,
}

/// A policy version as registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// SHA-256 over all its files, hex.
    pub hash: String,
    /// The files, as JSON `{path: text}`.
    pub sources: String,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// A handoff folder that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementRow {
    /// Placement.
    pub placement: PlacementId,
    /// Whose claims.
    pub account: AccountId,
    /// Agency.
    pub agency: String,
    /// `asked`, `released`, `delivered`, `recalled`.
    pub state: String,
    /// When the state last changed.
    pub changed_at: Timestamp,
}

/// An attempt to pay through a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutRow {
    /// Our reference, also the payment id once paid.
    pub checkout: String,
    /// Whose.
    pub account: AccountId,
    /// Provider, e.g. `sandbox`.
    pub provider: String,
    /// Minor units.
    pub amount: i64,
    /// Currency.
    pub currency: Currency,
    /// `open`, `paid`, `failed`, `void`.
    pub state: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the state last changed.
    pub changed_at: Timestamp,
}
