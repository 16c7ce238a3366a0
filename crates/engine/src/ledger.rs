//! The one task that changes accounts. Callers queue work; the ledger takes what waits, handles it
//! account by account and writes all of it as one batch, while it already decides the next one.
//!
//! Two invariants make that safe. Memory may be ahead of the store by the batch that is being
//! written and no further. And nobody is answered before the batch with their work is durable.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use cqrs_es::{AggregateError, CqrsFramework};
use jiff::Timestamp;
use kulanz_domain::{
    Account, Command, Refusal,
    fact::Fact,
    ids::{AccountId, CreditorId},
    policy::Rules,
};
use kulanz_store::{InboxKey, OutboxChange, Outcome, Paylink, Store, StoreError, Wake};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tracing::{error, warn};

use crate::{
    Done, ExecuteError, Fault, Incoming, Receipt, RuleBook, UNMATCHED,
    clock::Clock,
    desk::{Desk, sortable},
    measures,
};

/// Most facts and commands in a batch.
const BATCH: usize = 1000;
/// Accounts kept in memory.
const HOT: usize = 60_000;

/// Beside a command's events, in the same transaction.
#[derive(Default)]
pub struct Extra {
    /// To seal: slot and plain text.
    pub secrets: Vec<(String, Vec<u8>)>,
    /// Moves of messages that no event tells.
    pub outbox: Vec<OutboxChange>,
    /// New paylinks.
    pub paylinks: Vec<Paylink>,
}

pub(crate) enum Work {
    Record {
        items: Vec<Incoming>,
        reply: oneshot::Sender<Result<Vec<Receipt>, Fault>>,
    },
    Execute {
        account: AccountId,
        command: Option<Box<Command>>,
        cause: String,
        extra: Extra,
        reply: oneshot::Sender<Result<Done, ExecuteError>>,
    },
    /// Look at these accounts: their wake-ups are due.
    Decide {
        accounts: Vec<AccountId>,
        reply: oneshot::Sender<Result<usize, Fault>>,
    },
}

impl Work {
    fn size(&self) -> usize {
        match self {
            Self::Record { items, .. } => items.len(),
            Self::Execute { .. } => 1,
            Self::Decide { accounts, .. } => accounts.len(),
        }
    }
}

/// What a caller hears once the batch is durable.
enum Answer {
    Record(oneshot::Sender<Result<Vec<Receipt>, Fault>>, Vec<Receipt>),
    Execute(oneshot::Sender<Result<Done, ExecuteError>>, Result<Done, ExecuteError>),
    Decide(oneshot::Sender<Result<usize, Fault>>, usize),
}

pub(crate) struct Ledger {
    store: Arc<dyn Store>,
    desk: Desk,
    framework: CqrsFramework<Account, Desk>,
    rules: RuleBook,
    clock: Clock,
    /// `false`: facts are recorded, nobody is contacted; wake-ups wait for somebody who serves.
    deciding: bool,
    /// Inbox keys of the batch that is being written.
    in_flight: HashSet<InboxKey>,
    writing: Option<JoinHandle<Result<(), ()>>>,
}

impl Ledger {
    pub(crate) fn start(
        store: Arc<dyn Store>,
        vault: Arc<crate::vault::Vault>,
        rules: RuleBook,
        clock: Clock,
        deciding: bool,
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
            deciding,
            in_flight: HashSet::new(),
            writing: None,
        };
        tokio::spawn(ledger.run(inbox));
        sender
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Work>) {
        while let Some(first) = inbox.recv().await {
            let mut size = first.size();
            let mut work = vec![first];
            while size < BATCH
                && let Ok(next) = inbox.try_recv()
            {
                size += next.size();
                work.push(next);
            }
            self.batch(work).await;
        }
        self.written().await;
    }

    /// Waits for the batch that is being written; gives memory up where it failed.
    async fn written(&mut self) {
        let Some(writing) = self.writing.take() else { return };
        let done = matches!(writing.await, Ok(Ok(())));
        self.in_flight.clear();
        if !done {
            self.desk.lock().forget(None);
        }
    }

    async fn batch(&mut self, work: Vec<Work>) {
        let mut answers = Vec::with_capacity(work.len());
        let mut keys = HashSet::new();
        let mut dirty = HashSet::new();
        let now = self.clock.now();
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            // Known to have failed, it must not take down what comes long after it.
            self.written().await;
        }
        match self.prepare(&work).await {
            Ok(seen) => {
                for one in work {
                    let answer = self.handle(one, now, &seen, &mut keys, &mut dirty).await;
                    answers.push(answer);
                }
            }
            Err(fault) => return fail(work, &fault),
        }
        if let Err(fault) = self.decide_dirty(&dirty, now).await {
            error!(%fault, "a decision failed");
        }
        let appends = self.desk.lock().close();
        // The batch before this one has to be durable first: this one stands on it.
        let mut before = self.writing.take();
        let held = match before.as_mut() {
            Some(writing) => matches!(writing.await, Ok(Ok(()))),
            None => true,
        };
        self.in_flight = keys;
        let appends = match (held, appends) {
            (true, Ok(appends)) => appends,
            (false, _) => {
                self.give_up(answers, &Fault::Lost);
                return;
            }
            (_, Err(fault)) => {
                self.give_up(answers, &fault);
                return;
            }
        };
        if appends.is_empty() {
            answer_all(answers);
            self.in_flight.clear();
            return;
        }
        let (store, desk) = (Arc::clone(&self.store), self.desk.clone());
        self.writing = Some(tokio::spawn(async move {
            let names: Vec<AccountId> = appends.iter().map(|a| a.account.clone()).collect();
            let begun = Instant::now();
            let written = store.commit(appends).await;
            measures::batch(names.len(), begun.elapsed(), written.as_deref().ok());
            match written {
                Ok(outcomes) => {
                    let lost: Vec<&AccountId> = names
                        .iter()
                        .zip(&outcomes)
                        .filter(|(_, outcome)| !matches!(outcome, Outcome::Committed { .. }))
                        .map(|(account, _)| account)
                        .collect();
                    if lost.is_empty() {
                        answer_all(answers);
                        return Ok(());
                    }
                    // Another instance was faster. Whatever was not written is told as a fault
                    // of ours, so that callers ask again; the memory of it goes.
                    warn!(accounts = lost.len(), "appends conflicted");
                    for account in &lost {
                        desk.lock().forget(Some(account));
                    }
                    answers.into_iter().for_each(|answer| answer.fail(&Fault::Conflict));
                    Err(())
                }
                Err(error) => {
                    error!(%error, "a batch could not be written");
                    let fault = Fault::from(error);
                    answers.into_iter().for_each(|answer| answer.fail(&fault));
                    Err(())
                }
            }
        }));
        self.desk.lock().cool(HOT);
    }

    fn give_up(&mut self, answers: Vec<Answer>, fault: &Fault) {
        self.desk.lock().forget(None);
        self.in_flight.clear();
        answers.into_iter().for_each(|answer| answer.fail(fault));
    }

    /// Brings the accounts of the work into memory; which inbound events were recorded before.
    async fn prepare(&mut self, work: &[Work]) -> Result<HashSet<InboxKey>, Fault> {
        let mut keys = Vec::new();
        let mut cold = HashSet::new();
        {
            let desk = self.desk.lock();
            let mut want = |account: &AccountId| {
                if !desk.is_hot(account) {
                    cold.insert(account.clone());
                }
            };
            for one in work {
                match one {
                    Work::Record { items, .. } => {
                        for item in items {
                            keys.push(item.key.clone());
                            want(&item.account);
                            if let Fact::PaymentAssigned { to, .. } = &item.fact {
                                want(to);
                            }
                        }
                    }
                    Work::Execute { account, .. } => want(account),
                    Work::Decide { accounts, .. } => accounts.iter().for_each(&mut want),
                }
            }
        }
        self.warm(cold).await?;
        let mut seen: HashSet<InboxKey> = self.in_flight.clone();
        if !keys.is_empty() {
            let recorded = self.store.recorded(keys.clone()).await?;
            let before = keys.into_iter().zip(recorded).filter(|(_, recorded)| *recorded);
            seen.extend(before.map(|(key, _)| key));
        }
        Ok(seen)
    }

    async fn warm(&self, cold: HashSet<AccountId>) -> Result<(), Fault> {
        if cold.is_empty() {
            return Ok(());
        }
        let cold: Vec<AccountId> = cold.into_iter().collect();
        let heads = self.store.heads(cold.clone()).await?;
        let mut desk = self.desk.lock();
        for (account, head) in cold.iter().zip(heads) {
            desk.warm(account, head)?;
        }
        Ok(())
    }

    async fn handle(
        &mut self,
        work: Work,
        now: Timestamp,
        seen: &HashSet<InboxKey>,
        keys: &mut HashSet<InboxKey>,
        dirty: &mut HashSet<AccountId>,
    ) -> Answer {
        match work {
            Work::Record { items, reply } => {
                let mut receipts = Vec::with_capacity(items.len());
                for item in items {
                    let duplicate = seen.contains(&item.key) || keys.contains(&item.key);
                    receipts.push(match duplicate {
                        true => Receipt::Duplicate,
                        false => self.record(item, now, keys, dirty).await,
                    });
                }
                Answer::Record(reply, receipts)
            }
            Work::Execute { account, command, cause, extra, reply } => {
                let done = self.execute(&account, command, cause, extra, now, dirty).await;
                Answer::Execute(reply, done)
            }
            Work::Decide { accounts, reply } => {
                let count = accounts.len();
                dirty.extend(accounts);
                Answer::Decide(reply, count)
            }
        }
    }

    async fn record(
        &self,
        item: Incoming,
        now: Timestamp,
        keys: &mut HashSet<InboxKey>,
        dirty: &mut HashSet<AccountId>,
    ) -> Receipt {
        let Some(rules) = self.rules.of(&item.account) else {
            return Receipt::UnknownCreditor(item.account.creditor);
        };
        if !self.desk.lock().is_hot(&item.account)
            && let Err(fault) = self.warm(HashSet::from([item.account.clone()])).await
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
        let forward = {
            let mut desk = self.desk.lock();
            let sealed: Result<(), Fault> = item.secrets.iter().try_for_each(|(slot, plain)| {
                desk.seal(&item.account, slot, sortable(&item.stamp), plain)
            });
            let kept = sealed.and_then(|()| desk.remember(&item.account, item.key.clone()));
            if let Err(fault) = kept {
                return Receipt::Faulted(fault.to_string());
            }
            match item.account.debtor.as_str() {
                UNMATCHED => desk.assigned(&item.account, &item.fact),
                _ => None,
            }
        };
        keys.insert(item.key.clone());
        dirty.insert(item.account.clone());
        if let Some((to, fact)) = forward {
            return self.forward(item, to, fact, now, keys, dirty).await;
        }
        Receipt::Accepted
    }

    /// Tells the account to which a payment was assigned of it, in the same transaction.
    async fn forward(
        &self,
        item: Incoming,
        to: AccountId,
        fact: Fact,
        now: Timestamp,
        keys: &mut HashSet<InboxKey>,
        dirty: &mut HashSet<AccountId>,
    ) -> Receipt {
        let key = InboxKey {
            source: format!("kulanz:assigned/{}", item.account),
            id: match &fact {
                Fact::PaymentReceived { payment, .. } => payment.to_string(),
                _ => format!("{}#{}", item.key.source, item.key.id),
            },
        };
        let known = match self.store.recorded(vec![key.clone()]).await {
            Ok(known) => known.first() == Some(&true),
            Err(error) => return Receipt::Faulted(error.to_string()),
        };
        if known || self.in_flight.contains(&key) || keys.contains(&key) {
            return Receipt::Accepted;
        }
        let copy = Incoming { key, account: to, fact, secrets: Vec::new(), ..item };
        match Box::pin(self.record(copy, now, keys, dirty)).await {
            Receipt::Accepted | Receipt::Duplicate => Receipt::Accepted,
            other => other,
        }
    }

    async fn execute(
        &self,
        account: &AccountId,
        command: Option<Box<Command>>,
        cause: String,
        extra: Extra,
        now: Timestamp,
        dirty: &mut HashSet<AccountId>,
    ) -> Result<Done, ExecuteError> {
        let mut kinds = Vec::new();
        if let Some(command) = command {
            kinds = self.run_command(account, *command, cause, now).await?;
        }
        let mut desk = self.desk.lock();
        let stamp = format!("{:030}", now.as_nanosecond() - Timestamp::MIN.as_nanosecond());
        for (slot, plain) in &extra.secrets {
            desk.seal(account, slot, stamp.clone(), plain)?;
        }
        if !extra.outbox.is_empty() || !extra.paylinks.is_empty() {
            desk.add(account, extra.outbox, extra.paylinks)?;
        }
        if !kinds.is_empty() {
            dirty.insert(account.clone());
        }
        Ok(Done { kinds })
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
            desk.now = now;
            desk.cause = cause;
            desk.kinds.clear();
        }
        self.framework.execute(&account.to_string(), command).await.map_err(from_framework)?;
        Ok(self.desk.lock().kinds.clone())
    }

    /// Decides for every account that something happened to, or leaves that to who serves.
    async fn decide_dirty(&self, dirty: &HashSet<AccountId>, now: Timestamp) -> Result<(), Fault> {
        let mut order: Vec<&AccountId> = dirty.iter().collect();
        order.sort_unstable();
        if self.deciding {
            measures::decided(order.len());
        }
        for account in order {
            let decidable = self.desk.lock().account(account).is_some_and(|a| !a.claims.is_empty());
            let rules = self.rules.of(account).filter(|_| decidable);
            let wake = match rules {
                None => Wake::Never,
                Some(_) if !self.deciding => Wake::At(now),
                Some(rules) => self.decide(account, rules, now).await?,
            };
            self.desk.lock().wake(account, wake)?;
        }
        Ok(())
    }

    async fn decide(
        &self,
        account: &AccountId,
        rules: Arc<Rules>,
        now: Timestamp,
    ) -> Result<Wake, Fault> {
        let seed: Arc<str> = self.desk.lock().seed(account).into();
        let command = Command::Decide { rules, now, seed };
        match self.run_command(account, command, "wake-up".to_owned(), now).await {
            Ok(_) => {}
            Err(ExecuteError::Failed(fault)) => return Err(fault),
            Err(ExecuteError::Refused(refusal)) => {
                warn!(%account, %refusal, "a decision was refused");
                return Ok(Wake::Never);
            }
        }
        let wake = self.desk.lock().account(account).and_then(|account| account.wake);
        // A wake-up that is not in the future would be taken again at once, for ever.
        let soonest = now.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(now);
        Ok(wake.map_or(Wake::Never, |at| Wake::At(at.max(soonest))))
    }
}

fn from_framework(error: AggregateError<Refusal>) -> ExecuteError {
    match error {
        AggregateError::UserError(refusal) => ExecuteError::Refused(refusal),
        AggregateError::UnexpectedError(cause)
        | AggregateError::DatabaseConnectionError(cause)
        | AggregateError::DeserializationError(cause) => {
            ExecuteError::Failed(Fault::Other(cause.to_string()))
        }
        AggregateError::AggregateConflict => ExecuteError::Failed(Fault::Conflict),
    }
}

fn fail(work: Vec<Work>, fault: &Fault) {
    for one in work {
        match one {
            Work::Record { reply, .. } => Answer::Record(reply, Vec::new()).fail(fault),
            Work::Execute { reply, .. } => {
                Answer::Execute(reply, Err(ExecuteError::Failed(fault.copy()))).fail(fault);
            }
            Work::Decide { reply, .. } => Answer::Decide(reply, 0).fail(fault),
        }
    }
}

fn answer_all(answers: Vec<Answer>) {
    // A caller that went away no longer wants to hear it; the work is durable all the same.
    for answer in answers {
        match answer {
            Answer::Record(reply, receipts) => drop(reply.send(Ok(receipts))),
            Answer::Execute(reply, done) => drop(reply.send(done)),
            Answer::Decide(reply, count) => drop(reply.send(Ok(count))),
        }
    }
}

impl Answer {
    fn fail(self, fault: &Fault) {
        match self {
            Self::Record(reply, _) => drop(reply.send(Err(fault.copy()))),
            Self::Execute(reply, Err(ExecuteError::Refused(refusal))) => {
                drop(reply.send(Err(ExecuteError::Refused(refusal))));
            }
            Self::Execute(reply, _) => drop(reply.send(Err(ExecuteError::Failed(fault.copy())))),
            Self::Decide(reply, _) => drop(reply.send(Err(fault.copy()))),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => Self::Full,
            other => Self::Store(Arc::new(other)),
        }
    }
}

/// Rules of all creditors, replaceable while the engine runs.
#[derive(Debug, Clone, Default)]
pub struct SharedRules(Arc<std::sync::RwLock<HashMap<CreditorId, Arc<Rules>>>>);

impl SharedRules {
    /// The rules of each creditor.
    pub fn new(rules: HashMap<CreditorId, Arc<Rules>>) -> Self {
        Self(Arc::new(std::sync::RwLock::new(rules)))
    }

    /// The rules as they hold for one account: by the arms that it is in.
    pub fn of(&self, account: &AccountId) -> Option<Arc<Rules>> {
        self.get(&account.creditor).map(|rules| rules.of(account))
    }

    /// The rules of one, as they are for accounts outside of all experiments.
    pub fn get(&self, creditor: &CreditorId) -> Option<Arc<Rules>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(creditor).cloned()
    }
}
