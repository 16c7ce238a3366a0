//! Hot aggregates and the batch that is being put together: the `EventStore` behind the framework.
//!
//! The framework lends an account from here, handles one command and gives it back with its
//! events. What several commands of a batch do to one account becomes one append, so that a
//! thousand commands cost one transaction. Accounts of a batch that is still being written are
//! ahead of the store; if that write fails, all of memory is given up and read again.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cqrs_es::{AggregateContext, AggregateError, EventEnvelope, EventStore};
use jiff::Timestamp;
use kulanz_domain::{Account, AccountEvent, Refusal, Subject, ids::*};
use kulanz_store::*;
use sha2::{Digest, Sha256};
use tracing::error;

use crate::{
    Extra, Fault,
    making::Due,
    pack::{packed, unpacked},
    panics, partition,
    trace::TraceContext,
    vault::{AccountKey, Vault},
    views::{self, Written},
};

#[cfg(test)]
mod tests;

/// A snapshot is written once as many bytes of events have come since the last one as that has, and at
/// least so many: what an account costs to read stays within bounds, and what snapshots cost does not
/// grow with it.
const SNAPSHOT_BYTES: usize = 8192;

/// What an account takes in memory by itself, and for each [`TEXT`] bytes of its events, or of its
/// snapshot, as text. Measured: 8 KiB with five paid claims, 3 KiB of text; 57 with fifty open ones, 20 KiB.
const BARE: usize = 2048;
const FOR_TEXT: usize = 5;
const TEXT: usize = 2;

/// Shared by the framework, which needs a `Sync` store, and the ledger, its only user.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Mutex<Inner>>);

pub(crate) struct Inner {
    vault: Arc<Vault>,
    /// In boxes: a table keeps room for more of them than there are.
    hot: QuickMap<AccountId, Box<Hot>>,
    /// Bytes that all of `hot` take, about.
    bytes: usize,
    batch: BTreeMap<AccountId, Open>,
    /// Accounts of which nobody knows what memory has of them: nothing of this batch is written.
    spoilt: QuickSet<AccountId>,
    /// Account, time and cause of the command that is being handled.
    pub subject: Option<AccountId>,
    pub now: Timestamp,
    pub cause: String,
    /// Kinds of the events that it led to.
    pub kinds: Vec<&'static str>,
    /// The span of the decision that is being made, where it is kept.
    pub trace: Option<TraceContext>,
    turn: u64,
}

/// What a batch comes to.
#[derive(Default)]
pub(crate) struct Closed {
    /// In the order of the accounts.
    pub(crate) appends: Vec<Append>,
    /// Those of them that have messages which are to be made.
    pub(crate) due: Vec<Due>,
    /// Accounts that were spoilt: memory of them is to be given up.
    pub(crate) spoilt: QuickSet<AccountId>,
    /// So are these, of which nothing that they were told can be written.
    pub(crate) broken: QuickSet<AccountId>,
}

/// An account in memory.
struct Hot {
    /// `None` while it is lent.
    account: Option<Box<Account>>,
    version: u64,
    key: Option<AccountKey>,
    /// Bytes of events since the last snapshot, and bytes of that.
    bytes_since_snapshot: usize,
    snapshot_bytes: usize,
    written: Written,
    last_turn: u64,
}

impl Hot {
    /// About what it takes in memory.
    fn bytes(&self) -> usize {
        BARE + (self.snapshot_bytes + self.bytes_since_snapshot) * FOR_TEXT / TEXT
    }
}

/// What a batch will do to an account.
struct Open {
    expected_version: u64,
    events: Vec<NewEvent>,
    inbox: Vec<InboxKey>,
    requests: Vec<RequestRow>,
    secrets: Vec<Secret>,
    forgets: Vec<String>,
    outbox: Vec<OutboxChange>,
    held: Vec<Held>,
    paylinks: Vec<Paylink>,
    key: KeyChange,
    wake: Wake,
}

/// An account lent to the framework; it comes back however that ends.
pub(crate) struct Loan {
    desk: Desk,
    id: AccountId,
    subject: Subject,
}

impl AggregateContext<Subject> for Loan {
    fn aggregate(&mut self) -> &mut Subject {
        &mut self.subject
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Subject::Account(account) = mem::replace(&mut self.subject, Subject::Nobody)
            && let Some(hot) = self.desk.lock().hot.get_mut(&self.id)
        {
            hot.account = Some(account);
        }
    }
}

impl Desk {
    pub(crate) fn new(vault: Arc<Vault>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            vault,
            hot: QuickMap::default(),
            bytes: 0,
            batch: BTreeMap::new(),
            spoilt: QuickSet::default(),
            subject: None,
            now: Timestamp::UNIX_EPOCH,
            cause: String::new(),
            kinds: Vec::new(),
            trace: None,
            turn: 0,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventStore<Subject> for Desk {
    type AC = Loan;

    /// The account must be hot: the ledger brings it there beforehand, many with one query. It is the
    /// one that the ledger has named; the framework knows its debtor alone.
    async fn load_aggregate(&self, debtor: &str) -> Result<Loan, AggregateError<Refusal>> {
        let mut inner = self.lock();
        let named = inner.subject.clone().filter(|id| id.debtor.as_str() == debtor);
        let id =
            named.ok_or_else(|| unexpected(Fault::Other(format!("{debtor} was not named"))))?;
        let account = inner.hot.get_mut(&id).and_then(|hot| hot.account.take());
        let account = account.ok_or_else(|| unexpected(Fault::NotLoaded(id.clone())))?;
        drop(inner);
        Ok(Loan { desk: self.clone(), id, subject: Subject::Account(account) })
    }

    /// None: those that are stored are read by the ledger, and memory has those of the batch.
    async fn load_events(
        &self,
        _: &str,
    ) -> Result<Vec<EventEnvelope<Subject>>, AggregateError<Refusal>> {
        Ok(Vec::new())
    }

    /// Adds the events to the batch. The envelopes that come back are for queries of the framework, of
    /// which there are none.
    async fn commit(
        &self,
        events: Vec<AccountEvent>,
        loan: Loan,
        _: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<Subject>>, AggregateError<Refusal>> {
        let id = loan.id.clone();
        drop(loan);
        self.lock().put(&id, &events).map_err(unexpected)?;
        Ok(Vec::new())
    }
}

fn unexpected(error: impl std::error::Error + Send + Sync + 'static) -> AggregateError<Refusal> {
    AggregateError::UnexpectedError(Box::new(error))
}

/// A sortable form of a stamp for the vault: facts with an earlier one never replace a datum.
pub(crate) fn sortable(stamp: &kulanz_domain::fact::Stamp) -> String {
    let nanos = stamp.at.as_nanosecond() - Timestamp::MIN.as_nanosecond();
    format!("{nanos:030}#{}", stamp.id)
}

/// The stamp of what is known since `now`.
pub(crate) fn stamp_of(now: Timestamp) -> String {
    format!("{:030}", now.as_nanosecond() - Timestamp::MIN.as_nanosecond())
}

impl Inner {
    pub(crate) fn is_hot(&self, id: &AccountId) -> bool {
        self.hot.contains_key(id)
    }

    /// What happens to an account in this batch is not to be written.
    pub(crate) fn spoil(&mut self, id: &AccountId) {
        self.spoilt.insert(id.clone());
    }

    pub(crate) fn is_spoilt(&self, id: &AccountId) -> bool {
        self.spoilt.contains(id)
    }

    /// Those of `accounts` that are in memory.
    pub(crate) fn hot_of(&self, accounts: &QuickSet<&AccountId>) -> Vec<AccountId> {
        accounts.iter().filter(|id| self.hot.contains_key(**id)).map(|id| (*id).clone()).collect()
    }

    /// Those of `accounts` that are not.
    pub(crate) fn cold_of(&self, accounts: QuickSet<&AccountId>) -> Vec<AccountId> {
        accounts.into_iter().filter(|id| !self.hot.contains_key(*id)).cloned().collect()
    }

    /// Whether memory has this version of an account; also where it has none of it.
    pub(crate) fn is_at(&self, id: &AccountId, version: u64) -> bool {
        self.hot.get(id).is_none_or(|hot| hot.version == version)
    }

    pub(crate) fn account(&self, id: &AccountId) -> Option<&Account> {
        self.hot.get(id)?.account.as_deref()
    }

    /// Takes an account into memory as the store has it; `None` is a new one.
    pub(crate) fn warm(&mut self, id: &AccountId, head: Option<Head>) -> Result<(), Fault> {
        let hot = match head {
            None => Hot {
                account: Some(Box::default()),
                version: 0,
                key: None,
                bytes_since_snapshot: 0,
                snapshot_bytes: 0,
                written: Written::nothing(),
                last_turn: self.turn,
            },
            Some(head) => {
                let (account, snapshot_bytes) = restored(&head)?;
                Hot {
                    account: Some(Box::new(account)),
                    version: head.version,
                    key: head.key.map(|key| self.vault.unwrap_key(id, &key)).transpose()?,
                    bytes_since_snapshot: head.events.iter().map(|event| event.payload.len()).sum(),
                    snapshot_bytes,
                    written: Written::default(),
                    last_turn: self.turn,
                }
            }
        };
        self.bytes += hot.bytes();
        let before = self.hot.insert(id.clone(), Box::new(hot));
        self.bytes -= before.map_or(0, |hot| hot.bytes());
        Ok(())
    }

    fn open(&mut self, id: &AccountId) -> Result<(&mut Open, &mut Hot), Fault> {
        let hot = self.hot.get_mut(id).ok_or_else(|| Fault::NotLoaded(id.clone()))?;
        hot.last_turn = self.turn;
        if !self.batch.contains_key(id) {
            let mut key = KeyChange::Keep;
            if hot.version == 0 && hot.key.is_none() {
                let (made, wrapped) = self.vault.new_key(id)?;
                hot.key = Some(made);
                key = KeyChange::Create(wrapped);
            }
            let open = Open {
                expected_version: hot.version,
                events: Vec::new(),
                inbox: Vec::new(),
                requests: Vec::new(),
                secrets: Vec::new(),
                forgets: Vec::new(),
                outbox: Vec::new(),
                held: Vec::new(),
                paylinks: Vec::new(),
                key,
                wake: Wake::Keep,
            };
            self.batch.insert(id.clone(), open);
        }
        let open = self.batch.get_mut(id).ok_or_else(|| Fault::NotLoaded(id.clone()))?;
        Ok((open, hot))
    }

    /// Adds events, already applied, to the batch.
    fn put(&mut self, id: &AccountId, events: &[AccountEvent]) -> Result<(), Fault> {
        self.kinds.clear();
        self.kinds.extend(events.iter().map(AccountEvent::kind));
        if events.is_empty() {
            return Ok(());
        }
        let (now, cause, trace) = (self.now, self.cause.clone(), self.trace);
        let (open, hot) = self.open(id)?;
        let before = hot.bytes();
        hot.version += events.len() as u64;
        for event in events {
            let payload = serde_json::to_string(event)?;
            hot.bytes_since_snapshot += payload.len();
            open.outbox.extend(outbox_change(id, event, now, trace));
            if matches!(event, AccountEvent::AccountErased { .. }) {
                open.key = KeyChange::Destroy;
                open.secrets.clear();
                open.paylinks.clear();
                hot.key = None;
            }
            let (kind, cause) = (event.kind(), cause.clone());
            open.events.push(NewEvent { kind, payload, recorded_at: now, cause });
        }
        let grown = hot.bytes() - before;
        self.bytes += grown;
        Ok(())
    }

    /// Unique to the next command of an account, and the same whenever it is computed.
    pub(crate) fn seed(&self, id: &AccountId) -> String {
        seed(id, self.hot.get(id).map_or(0, |hot| hot.version))
    }

    /// Remembers that an inbound event took effect.
    pub(crate) fn remember(&mut self, id: &AccountId, key: InboxKey) -> Result<(), Fault> {
        self.open(id)?.0.inbox.push(key);
        Ok(())
    }

    /// Requests of an account that the batch answers.
    pub(crate) fn requests(&self, id: &AccountId) -> &[RequestRow] {
        self.batch.get(id).map_or(&[], |open| &open.requests)
    }

    /// Keeps a request, answered, with what the batch does to the account.
    pub(crate) fn keep_request(&mut self, id: &AccountId, row: RequestRow) -> Result<(), Fault> {
        self.open(id)?.0.requests.push(row);
        Ok(())
    }

    /// Seals `plain` into the account's vault; nothing for an erased account.
    pub(crate) fn seal(
        &mut self,
        id: &AccountId,
        slot: &str,
        stamp: String,
        plain: &[u8],
    ) -> Result<(), Fault> {
        let (open, hot) = self.open(id)?;
        if let Some(key) = &hot.key {
            let sealed = key.seal_json(id, slot, plain)?;
            open.secrets.push(Secret { slot: slot.to_owned(), stamp, sealed });
        }
        Ok(())
    }

    /// All of `extra` but what is to be sealed.
    pub(crate) fn add(&mut self, id: &AccountId, extra: Extra) -> Result<(), Fault> {
        let Extra { request: _, secrets: _, forgets, outbox, held, paylinks } = extra;
        if outbox.is_empty() && paylinks.is_empty() && held.is_empty() && forgets.is_empty() {
            return Ok(());
        }
        let (open, _) = self.open(id)?;
        open.outbox.extend(outbox);
        open.forgets.extend(forgets);
        open.held.extend(held);
        open.paylinks.extend(paylinks);
        Ok(())
    }

    /// Sets when the account is looked at next.
    pub(crate) fn wake(&mut self, id: &AccountId, wake: Wake) -> Result<(), Fault> {
        self.open(id)?.0.wake = wake;
        Ok(())
    }

    /// Ends the batch.
    pub(crate) fn close(&mut self) -> Result<Closed, Fault> {
        self.turn += 1;
        let batch = mem::take(&mut self.batch);
        let mut closed = Closed { spoilt: mem::take(&mut self.spoilt), ..Closed::default() };
        for (id, open) in batch {
            if closed.spoilt.contains(&id) {
                continue;
            }
            let hot = self.hot.get_mut(&id).ok_or_else(|| Fault::NotLoaded(id.clone()))?;
            let before = hot.bytes();
            let append = panics::caught("ledger", || close(&id, hot, open));
            self.bytes = self.bytes + hot.bytes() - before;
            match append.and_then(|append| append) {
                Ok((append, due)) => {
                    closed.appends.push(append);
                    closed.due.extend(due);
                }
                Err(fault) => {
                    error!(account = %id, %fault, "what happened to an account cannot be written");
                    closed.broken.insert(id);
                }
            }
        }
        Ok(closed)
    }

    /// Gives up one account, or all: what the store has counts.
    pub(crate) fn forget(&mut self, id: Option<&AccountId>) {
        match id {
            Some(id) => {
                self.bytes -= self.hot.remove(id).map_or(0, |hot| hot.bytes());
            }
            None => {
                self.hot.clear();
                self.bytes = 0;
                self.batch.clear();
                self.spoilt.clear();
            }
        }
    }

    /// Where accounts take more than `most` bytes, about, gives up that half of them that was not used
    /// for longest. Those used in the last turns stay, since a batch that is being written may be ahead
    /// of the store.
    pub(crate) fn cool(&mut self, most: usize) {
        if self.bytes <= most {
            return;
        }
        let mut turns: Vec<u64> = self.hot.values().map(|hot| hot.last_turn).collect();
        let middle = turns.len() / 2;
        let (_, median, _) = turns.select_nth_unstable(middle);
        let oldest = (*median).min(self.turn.saturating_sub(3));
        self.hot.retain(|_, hot| hot.last_turn >= oldest);
        self.bytes = self.hot.values().map(|hot| hot.bytes()).sum();
    }
}

/// What a batch does to an account.
fn close(id: &AccountId, hot: &mut Hot, open: Open) -> Result<(Append, Option<Due>), Fault> {
    let lent = || Fault::NotLoaded(id.clone());
    let account = hot.account.as_deref_mut().ok_or_else(lent)?;
    let mut snapshot = None;
    let due = hot.bytes_since_snapshot >= SNAPSHOT_BYTES.max(hot.snapshot_bytes);
    if due && !open.events.is_empty() {
        let state = serde_json::to_vec(account)?;
        (hot.bytes_since_snapshot, hot.snapshot_bytes) = (0, state.len());
        snapshot = Some(packed(&state).into_owned());
    }
    let views = (!open.events.is_empty()).then(|| views::of(id, account, &mut hot.written));
    // With the books: a message is made of them too.
    let due = messages(id, account, hot.version, hot.key.as_ref(), &open);
    account.let_go_of_books();
    let append = Append {
        partition: partition(id),
        account: id.clone(),
        expected_version: open.expected_version,
        events: open.events,
        snapshot,
        wake: open.wake,
        inbox: open.inbox,
        requests: open.requests,
        key: open.key,
        secrets: open.secrets,
        forgets: open.forgets,
        outbox: open.outbox,
        held: open.held,
        paylinks: open.paylinks,
        views,
    };
    Ok((append, due))
}

/// The messages that a batch puts into the outbox, with the account that they are made of; none of
/// an erased one.
fn messages(
    id: &AccountId,
    account: &Account,
    version: u64,
    key: Option<&AccountKey>,
    open: &Open,
) -> Option<Due> {
    let put = open.outbox.iter().filter_map(|change| match change {
        OutboxChange::Put(row) => Some(row.notice.clone()),
        OutboxChange::Move { .. } => None,
    });
    let notices: Vec<NoticeId> = put.collect();
    if notices.is_empty() {
        return None;
    }
    let (account, secrets) = (Box::new(account.clone()), open.secrets.clone());
    Some(Due { id: id.clone(), account, version, notices, key: key?.clone(), secrets })
}

/// Ids of notices and placements come from the account and its version: no two are the same, and
/// computing a decision again gives the same.
pub(crate) fn seed(id: &AccountId, version: u64) -> String {
    format!("{}-{version}", account_hash(id))
}

/// The part of [`seed`] that is the account's.
pub(crate) fn account_hash(id: &AccountId) -> String {
    let hash = Sha256::digest(id.to_string().as_bytes());
    hash[..8].iter().fold(String::with_capacity(16), |mut hex, byte| {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        hex.extend([digit(byte >> 4), digit(byte & 15)]);
        hex
    })
}

/// The state of an account from its snapshot and the events after it.
pub fn replay(head: &Head) -> Result<Account, Fault> {
    Ok(restored(head)?.0)
}

/// The state that a snapshot has.
pub fn snapshot(state: &[u8]) -> Result<Account, Fault> {
    Ok(read(state)?.0)
}

/// The same with the bytes of the snapshot's text; none: 0.
fn restored(head: &Head) -> Result<(Account, usize), Fault> {
    let snapshot = head.snapshot.as_ref().map(|(_, state)| read(state)).transpose()?;
    let (mut account, bytes) = snapshot.unwrap_or_default();
    for event in &head.events {
        account.apply_event(&serde_json::from_str(&event.payload)?);
    }
    Ok((account, bytes))
}

fn read(state: &[u8]) -> Result<(Account, usize), Fault> {
    let text = unpacked(state).map_err(serde_json::Error::io)?;
    Ok((serde_json::from_slice(&text)?, text.len()))
}

fn outbox_change(
    id: &AccountId,
    event: &AccountEvent,
    now: Timestamp,
    trace: Option<TraceContext>,
) -> Option<OutboxChange> {
    let moved = |notice: &NoticeId, state, detail: Option<String>| OutboxChange::Move {
        notice: notice.clone(),
        state,
        next_at: now,
        changed_at: now,
        detail,
    };
    Some(match event {
        AccountEvent::NoticeDecided(decided) => OutboxChange::Put(OutboxRow {
            notice: decided.notice.clone(),
            account: id.clone(),
            channel: decided.channel,
            step: Some(decided.step.clone()),
            state: OutboxState::Queued,
            attempts: 0,
            next_at: decided.at,
            decided_at: decided.at,
            changed_at: decided.at,
            detail: None,
            traceparent: trace.map(|decision| decision.to_string()),
        }),
        AccountEvent::NoticeSent { notice, .. } => moved(notice, OutboxState::Sent, None),
        AccountEvent::NoticeSuppressed { notice, reason } => {
            moved(notice, OutboxState::Suppressed, Some(format!("{reason:?}")))
        }
        AccountEvent::NoticeParked { notice, outcome_unknown } => {
            let state = match outcome_unknown {
                true => OutboxState::Unknown,
                false => OutboxState::Parked,
            };
            moved(notice, state, None)
        }
        AccountEvent::NoticeDiscarded { notice, by } => {
            moved(notice, OutboxState::Suppressed, Some(format!("discarded by {by}")))
        }
        _ => return None,
    })
}
