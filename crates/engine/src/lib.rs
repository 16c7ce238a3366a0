//! Commands through aggregates, in batches; wake-ups; clocks; the read side; back-tests.
//!
//! [`Engine`] is the only way to an account. It speaks neither HTTP nor SMTP.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use kulanz_domain::{
    Account, Command, Refusal,
    fact::{Fact, Stamp},
    ids::{AccountId, CreditorId, NoticeId},
    policy::Rules,
};
use kulanz_store::{
    Head, Held, InboxKey, OutboxChange, OutboxState, Partitions, Paylink, Share, Store, StoreError,
};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::sync::{Notify, oneshot, watch};

mod aside;
mod assigned;
pub mod backtest;
mod births;
pub mod brake;
pub mod clock;
mod desk;
mod leading;
mod ledger;
mod ledgers;
mod look;
mod look_again;
pub mod making;
mod measures;
mod pack;
pub mod panics;
pub mod plan;
pub mod rebuild;
mod request;
mod room;
mod rules;
mod serving;
pub mod simulate;
pub mod trace;
pub mod trial;
pub mod vault;
pub mod views;

pub use desk::{replay, snapshot};
pub use kulanz_store as store;
pub use ledger::Extra;
pub use ledgers::{HandedOver, MEMORY};
pub use look::Looked;
pub use request::Request;
pub use rules::SharedRules;
pub use views::UNMATCHED;

use clock::Clock;
use ledger::{Common, Work};
use ledgers::{Answer, Ledgers};
use making::Making;
use room::Room;
use serving::Serving;
use trace::TraceContext;
use vault::{AccountKey, Vault, VaultError};

pub(crate) type RuleBook = SharedRules;

/// One number of partitions for all topics and stores; it never changes.
pub const PARTITIONS: u16 = 64;

/// How many due accounts are asked for at once.
const DUE_AT_ONCE: u32 = 20_000;
/// How many of them are decided together.
const DUE_TOGETHER: usize = 500;
/// So many of these are under way beside each other: enough to keep ledgers and database busy, and
/// no more, for whatever a debtor does meanwhile comes after them.
const DUE_ABREAST: usize = 8;

/// Wake-ups of others that are overdue for this long are taken by anybody.
const OVERDUE: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// A fault of ours: what was asked did not happen, and asking again may help.
#[derive(Debug, Error)]
pub enum Fault {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(Arc<StoreError>),
    /// The disk is full.
    #[error("no space left for the data: nothing of this was recorded; free some and try again")]
    Full,
    /// Another instance changed the account at the same time.
    #[error("another instance changed the account; try again")]
    Conflict,
    /// The batch before could not be written, and this one stood on it.
    #[error("an earlier batch could not be written; try again")]
    Lost,
    /// Another instance works on the message by now.
    #[error("another instance works on this message by now")]
    Overtaken,
    /// The command's key came with another one, whose answer is kept.
    #[error("another command came with the same key")]
    Answered,
    /// What the store has of the account is no account.
    #[error("account {0} cannot be read; the log says why")]
    NotLoaded(AccountId),
    /// A bug: what was asked makes the program panic, and did not happen.
    #[error("the program panicked; its log says where")]
    Panicked,
    /// Sealing or opening failed.
    #[error(transparent)]
    Vault(Arc<VaultError>),
    /// A stored event or snapshot has a form that this release does not know.
    #[error("stored data cannot be read: {0}")]
    Form(Arc<serde_json::Error>),
    /// The engine is shutting down.
    #[error("the engine has stopped")]
    Stopped,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// Whether it is one account's own, which makes the program panic or cannot be read: others are
    /// none the worse for it, and asking again soon does not help.
    pub const fn is_the_accounts(&self) -> bool {
        matches!(self, Self::Panicked | Self::NotLoaded(_) | Self::Form(_) | Self::Vault(_))
    }

    /// The same fault for another caller.
    pub fn copy(&self) -> Self {
        match self {
            Self::Store(error) => Self::Store(Arc::clone(error)),
            Self::Full => Self::Full,
            Self::Conflict => Self::Conflict,
            Self::Lost => Self::Lost,
            Self::Overtaken => Self::Overtaken,
            Self::Answered => Self::Answered,
            Self::NotLoaded(account) => Self::NotLoaded(account.clone()),
            Self::Panicked => Self::Panicked,
            Self::Vault(error) => Self::Vault(Arc::clone(error)),
            Self::Form(error) => Self::Form(Arc::clone(error)),
            Self::Stopped => Self::Stopped,
            Self::Other(text) => Self::Other(text.clone()),
        }
    }
}

impl From<VaultError> for Fault {
    fn from(error: VaultError) -> Self {
        Self::Vault(Arc::new(error))
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Form(Arc::new(error))
    }
}

/// Why a command did not happen.
#[derive(Debug, Error)]
pub enum ExecuteError {
    /// The rules do not allow it: the caller's to mend.
    #[error(transparent)]
    Refused(Refusal),
    /// A fault of ours.
    #[error(transparent)]
    Failed(#[from] Fault),
}

/// What a command led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Kinds of its events; empty: it had no effect, since that was so already.
    pub kinds: Vec<&'static str>,
}

/// An inbound event, decoded. `Debug` leaves the personal data out.
#[derive(Clone)]
pub struct Incoming {
    /// Takes effect once.
    pub key: InboxKey,
    /// Whose.
    pub account: AccountId,
    /// Orders facts about the same thing.
    pub stamp: Stamp,
    /// Without personal data.
    pub fact: Fact,
    /// Personal data by slot, as JSON.
    pub secrets: Vec<(String, Vec<u8>)>,
    /// When we learnt of it; `None`: now.
    pub recorded_at: Option<Timestamp>,
    /// The span that it came in by, where its trace is kept.
    pub trace: Option<TraceContext>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("key", &self.key)
            .field("account", &self.account)
            .field("fact", &self.fact)
            .finish_non_exhaustive()
    }
}

/// What became of an inbound event. `Accepted` is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// Recorded.
    Accepted,
    /// Had been recorded before: no effect.
    Duplicate,
    /// Contradicts what is recorded: a dead letter.
    Refused(Refusal),
    /// There is no file for this creditor: a dead letter.
    UnknownCreditor(CreditorId),
    /// A fault of ours: not recorded, try again.
    Faulted(String),
}

/// An account as committed.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// State.
    pub account: Account,
    /// Version of its stream.
    pub version: u64,
    /// Next wake-up.
    pub wake_at: Option<Timestamp>,
    key: Option<AccountKey>,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    clock: Clock,
    rules: SharedRules,
    ledgers: Ledgers,
    instance: Arc<str>,
    own: watch::Sender<Partitions>,
    serving: Serving,
    room: Room,
    making: Making,
    /// Told whenever something was committed that may have to go out.
    committed: Arc<Notify>,
}

/// Whether an engine contacts people or only records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Decides; messages go to the outbox.
    Serving,
    /// Records facts. Every account waits for somebody who serves.
    Recording,
}

/// The partition of an account: murmur2 over its id, as Kafka's default partitioner does.
pub fn partition(account: &AccountId) -> u16 {
    let hash = murmur2(account.to_string().as_bytes()) & 0x7fff_ffff;
    u16::try_from(hash % u32::from(PARTITIONS)).unwrap_or(0)
}

/// Kafka's murmur2 (seed 0x9747b28c), so that a key lies on the same partition everywhere.
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// A name that no other process has, in whatever container: with zeros, where the system has no
/// random numbers, nothing can be sealed or sent either.
fn instance_id() -> String {
    let random = u64::from_be_bytes(vault::random::<8>().unwrap_or_default());
    format!("{}-{random:016x}", std::process::id())
}

impl Engine {
    /// As [`Engine::start_within`], in [`MEMORY`].
    pub fn start(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        clock: Clock,
        rules: SharedRules,
        mode: Mode,
    ) -> Self {
        Self::start_within(MEMORY, store, vault, clock, rules, mode)
    }

    /// Starts the ledgers on the current tokio runtime. They keep accounts in memory that take
    /// `memory` bytes, about, and those of the last batches in any case.
    pub fn start_within(
        memory: usize,
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        clock: Clock,
        rules: SharedRules,
        mode: Mode,
    ) -> Self {
        let (serving, room, making) = (Serving::new(), Room::default(), Making::default());
        let common = Common {
            deciding: mode == Mode::Serving,
            serving: serving.clone(),
            room: room.clone(),
            making: Arc::clone(&making),
            memory,
        };
        let ledgers = Ledgers::start(&store, &vault, &rules, &clock, &common);
        let (instance, own) = (instance_id().into(), watch::Sender::new(Partitions::ALL));
        let committed = Arc::new(Notify::new());
        Self {
            store,
            vault,
            clock,
            rules,
            ledgers,
            instance,
            own,
            serving,
            room,
            making,
            committed,
        }
    }

    /// Names this engine among all that work on the same data: the holder of its leases. No other
    /// ever has the same.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The partitions whose wake-ups this engine takes; all of them until [`Engine::take_over`].
    pub fn partitions(&self) -> Partitions {
        *self.own.borrow()
    }

    /// From now on this engine takes the wake-ups of these partitions. Whatever it was doing for
    /// others ends as it would have: the version decides.
    pub fn take_over(&self, partitions: Partitions) {
        self.own.send_replace(partitions);
    }

    /// Comes back where a ledger has died: nothing can be recorded, decided or sent any more for its
    /// accounts, by this engine or its clones. Never else.
    pub async fn died(&self) {
        self.ledgers.died().await;
    }

    /// Whether what was to be written last, within half a minute, found no room. Reading goes on.
    pub fn lacks_room(&self) -> bool {
        self.room.is_missing()
    }

    /// The store, for what needs no account: links, dead letters, lists.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The clock.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The rules in force for an account, in the arms of experiments that it is in.
    pub fn rules(&self, account: &AccountId) -> Option<Arc<Rules>> {
        self.rules.of(account)
    }

    /// The rules in force for a creditor, as they are for accounts outside of all experiments.
    pub fn creditor_rules(&self, creditor: &CreditorId) -> Option<Arc<Rules>> {
        self.rules.get(creditor)
    }

    /// The vault.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Records inbound events; a receipt each, in their order. Durable on return.
    pub async fn record(&self, items: Vec<Incoming>) -> Result<Vec<Receipt>, Fault> {
        self.hand_over(items).await?.receipts().await
    }

    /// The first half of [`Engine::record`]: on return the events have their place in the order in
    /// which all of them are recorded, and nothing is durable yet.
    pub async fn hand_over(&self, items: Vec<Incoming>) -> Result<HandedOver, Fault> {
        self.ledgers.record(items, Arc::clone(&self.committed)).await
    }

    /// Executes a command on an account. `cause` names the person or part behind it.
    pub async fn execute(
        &self,
        account: &AccountId,
        command: Command,
        cause: &str,
    ) -> Result<Done, ExecuteError> {
        self.execute_with(account, Some(command), cause, Extra::default()).await
    }

    /// Executes a command and writes `extra` in the same transaction. Without a command only
    /// `extra` is written. It belongs to the trace of the span that it is called in.
    pub async fn execute_with(
        &self,
        account: &AccountId,
        command: Option<Command>,
        cause: &str,
        extra: Extra,
    ) -> Result<Done, ExecuteError> {
        let (reply, answer) = oneshot::channel();
        let (owner, account, cause) = (account, account.clone(), cause.to_owned());
        let (command, extra, trace) = (command.map(Box::new), Box::new(extra), trace::current());
        let work = Work::Execute { account, command, cause, extra, trace, reply };
        self.ledgers.work_on(owner, work).await?;
        let done = answer.await.map_err(|_| Fault::Stopped)??;
        self.committed.notify_waiters();
        Ok(done)
    }

    /// The account as committed; `None` where nothing is known of it.
    pub async fn load(&self, id: &AccountId) -> Result<Option<Loaded>, Fault> {
        let heads = self.store.heads(vec![id.clone()]).await?;
        heads.into_iter().next().flatten().map(|head| self.loaded(id, &head)).transpose()
    }

    fn loaded(&self, id: &AccountId, head: &Head) -> Result<Loaded, Fault> {
        let key = head.key.as_ref().map(|key| self.vault.unwrap_key(id, key)).transpose()?;
        let (version, wake_at) = (head.version, head.wake_at);
        Ok(Loaded { account: replay(head)?, version, wake_at, key })
    }

    /// Personal data of a loaded account by slot; an empty `slots` means all of them. Empty for
    /// an erased account.
    pub async fn secrets(
        &self,
        id: &AccountId,
        loaded: &Loaded,
        slots: &[&str],
    ) -> Result<BTreeMap<String, serde_json::Value>, Fault> {
        let slots = slots.iter().map(|slot| (*slot).to_owned()).collect();
        Ok(self.stamped_secrets(id, loaded, slots).await?.data)
    }

    /// As [`Engine::secrets`], with the stamp of each.
    pub async fn stamped_secrets(
        &self,
        id: &AccountId,
        loaded: &Loaded,
        slots: Vec<String>,
    ) -> Result<making::Opened, Fault> {
        match &loaded.key {
            Some(key) => making::opened(id, key, self.store.secrets(id.clone(), slots).await?),
            None => Ok(making::Opened::default()),
        }
    }

    /// Seals bytes with an account's key where the account is known, else with the service key.
    pub async fn seal_letter(
        &self,
        account: Option<&AccountId>,
        bytes: &[u8],
    ) -> Result<(Option<AccountId>, Vec<u8>), Fault> {
        if let Some(id) = account
            && let Some(Loaded { key: Some(key), .. }) = self.load(id).await?
        {
            return Ok((Some(id.clone()), key.seal("dead letter", bytes)?));
        }
        Ok((None, self.vault.service_key().seal("dead letter", bytes)?))
    }

    /// Opens what [`Engine::seal_letter`] sealed; `None` once the account was erased.
    pub async fn open_letter(
        &self,
        account: Option<&AccountId>,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, Fault> {
        match account {
            None => Ok(Some(self.vault.service_key().open("dead letter", sealed)?)),
            Some(id) => match self.load(id).await? {
                Some(Loaded { key: Some(key), .. }) => Ok(Some(key.open("dead letter", sealed)?)),
                _ => Ok(None),
            },
        }
    }

    /// A new paylink for an account: the token to put into a message, and the row of which only
    /// its hash is kept. The row takes effect with the [`Extra`] that it is put into.
    pub fn new_paylink(
        &self,
        account: &AccountId,
        notice: Option<NoticeId>,
        expires_at: Timestamp,
    ) -> Result<(String, Paylink), Fault> {
        paylink(account, notice, self.clock.now(), expires_at)
    }

    /// Puts a message back for a later attempt, by whoever has it. No event: nothing happened to
    /// the account.
    pub async fn try_later(
        &self,
        account: &AccountId,
        held: Held,
        next_at: Timestamp,
        detail: Option<String>,
    ) -> Result<(), ExecuteError> {
        let change = OutboxChange::Move {
            notice: held.notice.clone(),
            state: OutboxState::Queued,
            next_at,
            changed_at: self.clock.now(),
            detail,
        };
        let extra = Extra { outbox: vec![change], held: vec![held], ..Extra::default() };
        self.execute_with(account, None, "delivery", extra).await.map(drop)
    }

    /// Takes every wake-up that is due and ours to take; how many accounts were looked at.
    pub async fn run_due(&self) -> Result<usize, Fault> {
        let mut count = 0;
        loop {
            let now = self.clock.now();
            let overdue = now.saturating_sub(OVERDUE).unwrap_or(Timestamp::MIN);
            let share = Share { own: self.partitions(), overdue };
            let due = self.store.due(now, share, DUE_AT_ONCE).await?;
            // Who does not decide would find the same again, for ever.
            if due.is_empty() || !self.is_in_force().await? {
                return Ok(count);
            }
            let (mut abreast, before) = (VecDeque::with_capacity(DUE_ABREAST), count);
            for together in due.chunks(DUE_TOGETHER) {
                if abreast.len() == DUE_ABREAST
                    && let Some(first) = abreast.pop_front()
                {
                    count += self.looked_at(first).await?;
                }
                let now = self.clock.now();
                together.iter().for_each(|(_, at)| measures::woken(now.duration_since(*at)));
                let accounts = together.iter().map(|(account, _)| account.clone()).collect();
                abreast.push_back(self.ledgers.decide(accounts).await?);
            }
            for rest in abreast {
                count += self.looked_at(rest).await?;
            }
            if let (true, Some((account, _))) = (count == before, due.into_iter().next()) {
                // None of them can be read: the same would be found again, for ever.
                return Err(Fault::NotLoaded(account));
            }
        }
    }

    async fn looked_at(&self, answers: Vec<Answer>) -> Result<usize, Fault> {
        let mut count = 0;
        for answer in answers {
            count += answer.await.map_err(|_| Fault::Stopped)??;
        }
        self.committed.notify_waiters();
        Ok(count)
    }

    /// Takes wake-ups as they become due, for ever. A fault of the store is waited out.
    pub async fn run_wake_ups(&self) {
        let mut own = self.own.subscribe();
        // Others set wake-ups too, and tell nobody.
        let patience = Duration::from_secs(if self.store.is_shared() { 5 } else { 60 });
        loop {
            let committed = self.committed.notified();
            let mine = *own.borrow_and_update();
            let next = match self.run_due().await {
                Ok(_) => self.next_wake(mine).await,
                Err(fault) => Err(fault),
            };
            let (until, limit) = match next {
                Ok(next) => (next.unwrap_or(Timestamp::MAX), patience),
                Err(fault) => {
                    tracing::error!(%fault, "wake-ups cannot be taken");
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    continue;
                }
            };
            tokio::select! {
                () = self.clock.wait_until(until, limit) => {}
                () = committed => {}
                Ok(()) = own.changed() => {}
            }
        }
    }

    /// When the next wake-up is ours to take; not before a while from now where we take none.
    async fn next_wake(&self, own: Partitions) -> Result<Option<Timestamp>, Fault> {
        if !self.is_in_force().await? {
            return Ok(None);
        }
        let next = self.store.next_wake(own).await?;
        if own == Partitions::ALL {
            return Ok(next);
        }
        let others = self.store.next_wake(own.others()).await?;
        let others = others.map(|at| at.saturating_add(OVERDUE).unwrap_or(at));
        Ok([next, others].into_iter().flatten().min())
    }

    /// Comes back when something was committed, or after `limit`.
    pub async fn changed(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.committed.notified()).await;
    }
}

/// A new paylink: the token to put into a message, and the row of which only its hash is kept.
///
/// # Errors
/// [`Fault::Vault`] where the system has no random numbers.
pub fn paylink(
    account: &AccountId,
    notice: Option<NoticeId>,
    created_at: Timestamp,
    expires_at: Timestamp,
) -> Result<(String, Paylink), Fault> {
    use base64::Engine as _;
    let bytes = vault::random::<16>()?;
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let (token_hash, account) = (token_hash(&token), account.clone());
    Ok((token, Paylink { token_hash, account, notice, created_at, expires_at }))
}

/// SHA-256 of a token: all that is kept of it.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests;
