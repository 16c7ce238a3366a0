//! The one task that changes its accounts. Callers queue work; the ledger takes what waits, handles
//! it account by account and writes all of it as one batch. The next one is decided meanwhile where
//! much waits; a few wait for the writing.
//!
//! Two invariants make that safe. Memory may be ahead of the store by the batch that is being
//! written and no further. And nobody is answered before the batch with their work is durable.
//!
//! Where other instances, or other ledgers of this one (`ledgers.rs`), write to the same data, memory
//! may also be behind. Two things make that
//! safe. Whatever is appended names the version that it was decided on; who was overtaken is read
//! again and decided again, and nobody else of the batch notices. And what appends nothing, a
//! refusal, is decided on what the store has: its accounts' versions are asked for, with the inbox
//! keys, and memory that is behind is read again.
//!
//! An account that cannot be read, or makes the program panic, is nobody else's trouble: what its
//! batch was to do to it is undone, whoever told it what it cannot bear hears so, and all else that it
//! was told is told again.
//!
//! Inbound events nearly always append, if only their inbox keys: as long as nothing came twice and
//! nobody was overtaken they are decided without asking, whatever else is in their batch, and the
//! store says who loses. What is refused then is decided again, once the store was asked.

use std::{mem, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use cqrs_es::{AggregateError, CqrsFramework};
use futures_util::{FutureExt, future::OptionFuture};
use jiff::Timestamp;
use kulanz_domain::{Command, Subject, ids::AccountId};
use kulanz_store::{
    Append, Held, InboxKey, OutboxChange, Paylink, QuickMap, QuickSet, Store, StoreError,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::{Span, error, info};

use crate::{
    Done, ExecuteError, Fault, Incoming, Receipt, Request, RuleBook,
    clock::Clock,
    desk::{Closed, Desk, sortable, stamp_of},
    making::{self, Making},
    measures, panics,
    room::Room,
    serving::Serving,
};
use job::{Found, Item, Job, Lost};
use touched::Touched;

mod deciding;
mod forward;
mod job;
mod memory;
#[cfg(test)]
mod tests;
mod touched;

pub(crate) use job::Work;

/// Most facts and commands in a batch.
const BATCH: usize = 1000;
/// So many are decided while the batch before is written. Fewer wait for that: they would have to
/// before they are written anyway, and what comes meanwhile is spared a transaction of its own.
const BESIDE: usize = 200;
/// Batches for which the store is asked beforehand once something came twice or was overtaken, and
/// at the start, when what was under way comes again.
const WARY: u32 = 32;

/// Beside a command's events, in the same transaction.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// To seal: slot and plain text.
    pub secrets: Vec<(String, Vec<u8>)>,
    /// Slots whose sealed data go.
    pub forgets: Vec<String>,
    /// Moves of messages that no event tells.
    pub outbox: Vec<OutboxChange>,
    /// Attempts at messages that have to be under way still; else nothing of it takes effect.
    pub held: Vec<Held>,
    /// New paylinks.
    pub paylinks: Vec<Paylink>,
    /// The key that the command came with; nothing of it takes effect where that is known.
    pub request: Option<Arc<Request>>,
}

pub(crate) struct Ledger {
    store: Arc<dyn Store>,
    desk: Desk,
    framework: CqrsFramework<Subject, Desk>,
    rules: RuleBook,
    clock: Clock,
    /// `false`: facts are recorded, nobody is contacted; wake-ups wait for somebody who serves.
    deciding: bool,
    /// Whether the rules are those that are served.
    serving: Serving,
    room: Room,
    making: Making,
    /// Of the batch that is being written: inbox keys with the accounts that they belong to.
    in_flight: Arc<Keys>,
    /// Of the batch that is being written: the accounts that it brings personal data of.
    sealed: QuickSet<AccountId>,
    /// Of the batch that is being written: the versions that its accounts had before.
    bases: QuickMap<AccountId, u64>,
    writing: Option<JoinHandle<Written>>,
    /// What another instance was faster with, to be decided again.
    again: Vec<Job>,
    /// So many batches more are not decided before the store was asked.
    wary: u32,
    /// Bytes that accounts in memory may take, about.
    memory: usize,
    /// Accounts whose decision went wrong, with when that is tried again.
    later: QuickMap<AccountId, Timestamp>,
}

/// Work that was taken and is in no batch yet.
#[derive(Default)]
struct Waiting {
    jobs: Vec<Job>,
    size: usize,
}

/// What a ledger has in common with its engine.
#[derive(Clone)]
pub(crate) struct Common {
    /// `false`: facts are recorded, nobody is contacted; wake-ups wait for somebody who serves.
    pub(crate) deciding: bool,
    pub(crate) serving: Serving,
    pub(crate) room: Room,
    pub(crate) making: Making,
    /// Bytes that accounts in memory may take, about, by all ledgers together.
    pub(crate) memory: usize,
}

/// How the writing of a batch ended. Whoever won has been answered.
enum Written {
    /// Durable but for what was lost, which is to be decided again.
    Done(Box<Lost>, Vec<Job>),
    /// Nothing of it, as far as anybody knows.
    Failed,
}

/// Inbound events that a batch records, with the accounts that they belong to.
type Keys = QuickMap<InboxKey, AccountId>;

impl Waiting {
    /// Takes what is there, as far as it fits into a batch.
    fn take(&mut self, inbox: &mut mpsc::Receiver<Work>) {
        while self.size < BATCH
            && let Ok(next) = inbox.try_recv()
        {
            self.extend(Some(next));
        }
    }

    fn extend(&mut self, next: Option<Work>) {
        let next = next.map(Job::from);
        self.size += next.as_ref().map_or(0, Job::size);
        self.jobs.extend(next);
    }
}

impl Ledger {
    pub(crate) fn start(
        store: Arc<dyn Store>,
        vault: Arc<crate::vault::Vault>,
        rules: RuleBook,
        clock: Clock,
        common: Common,
        ledgers: usize,
    ) -> mpsc::Sender<Work> {
        let (sender, inbox) = mpsc::channel(4096);
        let desk = Desk::new(vault);
        let framework = CqrsFramework::new(desk.clone(), Vec::new(), ());
        let ledger = Self {
            store,
            desk,
            framework,
            rules,
            clock,
            deciding: common.deciding,
            serving: common.serving,
            room: common.room,
            making: common.making,
            in_flight: Arc::default(),
            sealed: QuickSet::default(),
            bases: QuickMap::default(),
            writing: None,
            again: Vec::new(),
            wary: WARY,
            memory: common.memory / ledgers,
            later: QuickMap::default(),
        };
        tokio::spawn(ledger.run(inbox));
        sender
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Work>) {
        let mut waiting = Waiting::default();
        loop {
            if !self.again.is_empty() {
                // Alone, so that it is quick: the next one who is faster waits already.
                let jobs = mem::take(&mut self.again);
                self.wary = self.wary.max(1);
                self.batch(jobs).await;
                continue;
            }
            waiting.take(&mut inbox);
            if waiting.size >= BESIDE || self.writing.is_none() && !waiting.jobs.is_empty() {
                self.batch(mem::take(&mut waiting).jobs).await;
                continue;
            }
            let open = !inbox.is_closed() || !inbox.is_empty();
            tokio::select! {
                biased;
                next = inbox.recv(), if open => waiting.extend(next),
                Some(written) = OptionFuture::from(self.writing.as_mut()) => {
                    self.writing = None;
                    self.settle(written.unwrap_or(Written::Failed));
                }
                else => return,
            }
        }
    }

    /// Waits for the batch that is being written, and takes note of how that ended.
    async fn written(&mut self) {
        if let Some(writing) = self.writing.take() {
            let written = writing.await.unwrap_or(Written::Failed);
            self.settle(written);
        }
    }

    /// Gives memory up of what was lost. What it was decided for waits to be decided again.
    fn settle(&mut self, written: Written) -> Option<Lost> {
        self.in_flight = Arc::default();
        self.bases.clear();
        self.sealed.clear();
        let mut desk = self.desk.lock();
        match written {
            Written::Failed => {
                desk.forget(None);
                self.wary = WARY;
                None
            }
            Written::Done(lost, again) => {
                if !lost.is_empty() {
                    self.wary = WARY;
                }
                lost.accounts.iter().for_each(|account| desk.forget(Some(account)));
                self.again.extend(again.into_iter().filter_map(Job::again));
                Some(*lost)
            }
        }
    }

    async fn batch(&mut self, mut jobs: Vec<Job>) {
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            // Known to have failed, it must not take down what comes long after it.
            self.written().await;
        }
        let mut keys = Keys::default();
        let mut dirty = Touched::default();
        let now = self.clock.now();
        let (seen, deciding) = match self.prepare(&jobs).await {
            Ok(prepared) => prepared,
            Err(fault) => return jobs.into_iter().for_each(|job| job.fail(&fault)),
        };
        for job in &mut jobs {
            self.handle(job, now, seen.as_ref(), &mut keys, &mut dirty).await;
        }
        self.decide_dirty(&mut dirty, now, deciding).await;
        let closed = self.desk.lock().close().map(|mut closed| {
            // Beside the writing of the batch before this one, unless they need what that brings.
            let due = mem::take(&mut closed.due);
            let waits = due.iter().any(|due| self.sealed.contains(&due.id));
            let (store, rules) = (Arc::clone(&self.store), self.rules.clone());
            (closed, making::begin(self.making.get(), store, rules, due, now, waits))
        });
        // The batch before this one has to be durable first: this one stands on it.
        let before = match self.writing.take() {
            Some(writing) => {
                let written = writing.await.unwrap_or(Written::Failed);
                self.settle(written)
            }
            None => Some(Lost::default()),
        };
        let (mut lost, (closed, made)) = match (before, closed) {
            (Some(lost), Ok(closed)) => (lost, closed),
            (None, _) => return self.give_up(jobs, &Fault::Lost),
            (_, Err(fault)) => return self.give_up(jobs, &fault),
        };
        let Closed { mut appends, spoilt, broken, .. } = closed;
        for account in spoilt.iter().chain(&broken) {
            self.desk.lock().forget(Some(account));
        }
        broken.iter().for_each(|account| self.decide_later(account, now));
        lost.add(spoilt, broken, &keys);
        if !lost.is_empty() {
            // What was decided on top of that is lost with it.
            appends.retain(|append| !lost.accounts.contains(&append.account));
            keys.retain(|_, account| !lost.accounts.contains(account));
            jobs.iter_mut().for_each(|job| job.strike(&lost));
        }
        if appends.is_empty() {
            let todo = answer_done(jobs);
            self.again.extend(todo.into_iter().filter_map(Job::again));
            return;
        }
        if self.store.is_shared() {
            self.bases = appends
                .iter()
                .map(|append| (append.account.clone(), append.expected_version))
                .collect();
        }
        let keys = Arc::new(keys);
        self.in_flight = Arc::clone(&keys);
        let traced = dirty.traces.appends(&appends);
        let (store, room) = (Arc::clone(&self.store), self.room.clone());
        let sealing = appends.iter().filter(|append| !append.secrets.is_empty());
        self.sealed = sealing.map(|append| append.account.clone()).collect();
        self.writing = Some(tokio::spawn(async move {
            made.await.put_into(&mut appends);
            write(store, room, appends, jobs, keys, traced).await
        }));
        self.desk.lock().cool(self.memory);
    }

    fn give_up(&mut self, jobs: Vec<Job>, fault: &Fault) {
        self.desk.lock().forget(None);
        jobs.into_iter().for_each(|job| job.fail(fault));
    }

    async fn handle(
        &self,
        job: &mut Job,
        now: Timestamp,
        seen: Option<&QuickSet<InboxKey>>,
        keys: &mut Keys,
        dirty: &mut Touched,
    ) {
        match &job.work {
            Work::Record { items, .. } => {
                let before = match mem::replace(&mut job.found, Found::Todo) {
                    Found::Record(found) => found,
                    _ => items.iter().map(|_| Item::Todo).collect(),
                };
                let mut found = Vec::with_capacity(items.len());
                for (item, before) in items.iter().zip(before) {
                    if before.is_todo() && self.desk.lock().is_spoilt(&item.account) {
                        found.push(before);
                        continue;
                    }
                    let known = seen.is_some_and(|seen| seen.contains(&item.key))
                        || self.in_flight.contains_key(&item.key)
                        || keys.contains_key(&item.key);
                    found.push(match before {
                        Item::Decided(receipt) | Item::Durable(receipt) => Item::Durable(receipt),
                        Item::Todo if !known => match self.record(item, now, keys, dirty).await {
                            // Nothing of it is written that would tell whether memory was behind.
                            Receipt::Refused(_) if seen.is_none() => Item::Todo,
                            receipt => Item::Decided(receipt),
                        },
                        // What it meant for another account may have been lost on the way.
                        Item::Todo => Item::Decided(
                            self.forward(item, now, keys, dirty)
                                .await
                                .unwrap_or(Receipt::Duplicate),
                        ),
                        Item::Told(receipt) => Item::Durable(receipt),
                        Item::Halfway | Item::Rest => Item::Told(
                            self.forward(item, now, keys, dirty).await.unwrap_or(Receipt::Accepted),
                        ),
                    });
                }
                job.found = Found::Record(found);
            }
            Work::Execute { account, command, cause, extra, trace, .. } => {
                if matches!(job.found, Found::Execute(_)) || self.desk.lock().is_spoilt(account) {
                    return;
                }
                let (command, cause) = (command.as_deref().cloned(), cause.clone());
                let extra = Extra::clone(extra);
                let done = self.execute(account, command, cause, extra, now, dirty).await;
                if done.is_ok() {
                    dirty.traces.insert(account, *trace);
                }
                job.found = Found::Execute(done);
            }
            Work::Decide { accounts, .. } => {
                match &mut job.found {
                    Found::Decide(again, _) => again.drain().for_each(|one| dirty.wake(one)),
                    _ => {
                        // Those that cannot be read are not looked at.
                        let desk = self.desk.lock();
                        let there = accounts.iter().filter(|account| desk.is_hot(account));
                        let count = there.map(|account| dirty.wake(account.clone())).count();
                        job.found = Found::Decide(QuickSet::default(), count);
                    }
                };
            }
        }
    }

    async fn record(
        &self,
        item: &Incoming,
        now: Timestamp,
        keys: &mut Keys,
        dirty: &mut Touched,
    ) -> Receipt {
        let Some(rules) = self.rules.of(&item.account) else {
            return Receipt::UnknownCreditor(item.account.creditor.clone());
        };
        if !self.desk.lock().is_hot(&item.account)
            && let Err(fault) = self.warm(vec![item.account.clone()]).await
        {
            return Receipt::Faulted(fault.to_string());
        }
        let cause = format!("{}#{}", item.key.source, item.key.id);
        let command = Command::Record {
            fact: item.fact.clone(),
            stamp: item.stamp.clone(),
            at: item.recorded_at.unwrap_or(now),
            account: item.account.clone(),
            rules,
        };
        match self.run_command(&item.account, command, cause, now).await {
            Ok(_) => {}
            Err(ExecuteError::Refused(refusal)) => return Receipt::Refused(refusal),
            Err(ExecuteError::Failed(fault)) => return Receipt::Faulted(fault.to_string()),
        }
        {
            let mut desk = self.desk.lock();
            let sealed: Result<(), Fault> = item.secrets.iter().try_for_each(|(slot, plain)| {
                desk.seal(&item.account, slot, sortable(&item.stamp), plain)
            });
            let kept = sealed.and_then(|()| desk.remember(&item.account, item.key.clone()));
            if let Err(fault) = kept {
                desk.spoil(&item.account);
                return Receipt::Faulted(fault.to_string());
            }
        }
        keys.insert(item.key.clone(), item.account.clone());
        dirty.insert(&item.account, item.trace);
        self.forward(item, now, keys, dirty).await.unwrap_or(Receipt::Accepted)
    }

    async fn execute(
        &self,
        account: &AccountId,
        command: Option<Command>,
        cause: String,
        extra: Extra,
        now: Timestamp,
        dirty: &mut Touched,
    ) -> Result<Done, ExecuteError> {
        let mut kinds = Vec::new();
        if let Some(request) = &extra.request {
            self.desk.lock().is_first(account, request)?;
        }
        if let Some(command) = command {
            kinds = self.run_command(account, command, cause, now).await?;
        }
        let done = Done { kinds };
        if let Err(fault) = self.put_beside(account, extra, &done, now) {
            self.desk.lock().spoil(account);
            return Err(fault.into());
        }
        if !done.kinds.is_empty() {
            dirty.accounts.insert(account.clone());
        }
        Ok(done)
    }

    /// Adds what is written beside a command's events.
    fn put_beside(
        &self,
        account: &AccountId,
        extra: Extra,
        done: &Done,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let mut desk = self.desk.lock();
        if let Some(request) = &extra.request {
            desk.answer(account, request, done)?;
        }
        let stamp = stamp_of(now);
        for (slot, plain) in &extra.secrets {
            desk.seal(account, slot, stamp.clone(), plain)?;
        }
        desk.add(account, extra)
    }

    async fn run_command(
        &self,
        account: &AccountId,
        command: Command,
        cause: String,
        now: Timestamp,
    ) -> Result<Vec<&'static str>, ExecuteError> {
        {
            let mut desk = self.desk.lock();
            desk.subject = Some(account.clone());
            desk.now = now;
            desk.cause = cause;
            desk.kinds.clear();
        }
        let handled = self.framework.execute(account.debtor.as_str(), command);
        let fault = match AssertUnwindSafe(handled).catch_unwind().await {
            Ok(Ok(())) => return Ok(self.desk.lock().kinds.clone()),
            Ok(Err(AggregateError::UserError(refusal))) => {
                return Err(ExecuteError::Refused(refusal));
            }
            Ok(Err(AggregateError::AggregateConflict)) => Fault::Conflict,
            Ok(Err(
                AggregateError::UnexpectedError(cause)
                | AggregateError::DatabaseConnectionError(cause)
                | AggregateError::DeserializationError(cause),
            )) => match cause.downcast::<Fault>() {
                Ok(fault) => *fault,
                Err(cause) => Fault::Other(cause.to_string()),
            },
            Err(_) => panics::fault("ledger"),
        };
        error!(%account, %fault, "what an account was told could not be handled");
        self.desk.lock().spoil(account);
        Err(fault.into())
    }
}

/// Writes a batch, answers those whose work is durable, and gives back what was lost.
async fn write(
    store: Arc<dyn Store>,
    room: Room,
    appends: Vec<Append>,
    mut jobs: Vec<Job>,
    keys: Arc<Keys>,
    traced: Vec<(usize, Span)>,
) -> Written {
    let names: Vec<AccountId> = appends.iter().map(|append| append.account.clone()).collect();
    let begun = Instant::now();
    let written = store.commit(appends).await;
    measures::batch(names.len(), begun.elapsed(), written.as_deref().ok());
    touched::ended(traced, written.as_deref().ok());
    let outcomes = match written {
        Ok(outcomes) => {
            room.found(true);
            outcomes
        }
        Err(error) => {
            if matches!(error, StoreError::Full(_)) {
                room.found(false);
            }
            error!(%error, "a batch could not be written");
            let fault = Fault::from(error);
            jobs.into_iter().for_each(|job| job.fail(&fault));
            return Written::Failed;
        }
    };
    let lost = Lost::of(names, outcomes, &keys);
    if !lost.is_empty() {
        info!(accounts = lost.accounts.len(), "another instance was faster: decided again");
        jobs.iter_mut().for_each(|job| job.strike(&lost));
    }
    Written::Done(Box::new(lost), answer_done(jobs))
}

/// Answers what is done, all of which is durable; the rest is to be decided again.
fn answer_done(mut jobs: Vec<Job>) -> Vec<Job> {
    jobs.iter_mut().for_each(Job::keep);
    let (todo, done): (Vec<_>, Vec<_>) = jobs.into_iter().partition(Job::is_todo);
    done.into_iter().for_each(Job::answer);
    todo
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => Self::Full,
            other => Self::Store(Arc::new(other)),
        }
    }
}
