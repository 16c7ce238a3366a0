//! Work under way: what it needs to be decided again where another instance was faster, and what
//! its caller hears once all of it is durable.

use std::{mem, sync::Arc};

use kulanz_domain::{
    Command,
    fact::Fact,
    ids::{AccountId, NoticeId},
};
use kulanz_store::{InboxKey, Outcome, QuickMap, QuickSet};
use tokio::sync::oneshot;

use super::Extra;
use crate::{
    Done, ExecuteError, Fault, Incoming, Receipt, Request, UNMATCHED, trace::TraceContext,
};

/// How often work is decided anew because another instance was faster: each time that one got on.
const ATTEMPTS: u32 = 20;

pub(crate) enum Work {
    Record {
        items: Vec<Incoming>,
        reply: oneshot::Sender<Result<Vec<Receipt>, Fault>>,
    },
    Execute {
        account: AccountId,
        command: Option<Box<Command>>,
        cause: String,
        extra: Box<Extra>,
        /// The span that asks for it.
        trace: Option<TraceContext>,
        reply: oneshot::Sender<Result<Done, ExecuteError>>,
    },
    /// Look at these accounts: their wake-ups are due.
    Decide {
        accounts: Vec<AccountId>,
        reply: oneshot::Sender<Result<usize, Fault>>,
    },
}

/// What became of an inbound event so far.
pub(super) enum Item {
    /// It is yet to be decided.
    Todo,
    /// It is recorded on its own account; the one that a payment was assigned to was lost.
    Halfway,
    /// As [`Self::Halfway`], and its own half is durable by now.
    Rest,
    /// Its own half is durable, and this is what its sender hears once the other one is.
    Told(Receipt),
    /// This is what its sender hears once the batch is durable.
    Decided(Receipt),
    /// This is what its sender hears, whatever else is lost.
    Durable(Receipt),
}

/// What work led to.
pub(super) enum Found {
    /// It is yet to be decided.
    Todo,
    Record(Vec<Item>),
    Execute(Result<Done, ExecuteError>),
    /// Accounts that are yet to be looked at, of so many.
    Decide(QuickSet<AccountId>, usize),
}

/// Work, and what it led to.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) found: Found,
    attempt: u32,
}

/// What a batch lost to other instances, or to accounts that make the program panic.
#[derive(Default)]
pub(super) struct Lost {
    /// Of what was done to these accounts nothing took effect.
    pub(super) accounts: QuickSet<AccountId>,
    /// Those of them that cannot be written: whoever told them something is not to try again.
    broken: QuickSet<AccountId>,
    /// Inbound events that were to be recorded with them.
    pub(super) keys: QuickSet<InboxKey>,
    /// Attempts at messages that are another's by now: who made them is not to try again.
    not_held: QuickSet<NoticeId>,
    /// Keys of commands that came with others: those are not to be done again.
    answered: Vec<[u8; 32]>,
}

impl Lost {
    /// What did not take effect of a batch with these inbound events.
    pub(super) fn of(
        names: Vec<AccountId>,
        outcomes: Vec<Outcome>,
        keys: &QuickMap<InboxKey, AccountId>,
    ) -> Self {
        let mut lost = Self::default();
        for (account, outcome) in names.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Committed { .. } => continue,
                Outcome::Conflict | Outcome::AlreadyRecorded(_) => {}
                Outcome::NotHeld(notice) => drop(lost.not_held.insert(notice)),
                Outcome::AlreadyAnswered(request) => lost.answered.push(request),
            }
            lost.accounts.insert(account);
        }
        let of_lost = keys.iter().filter(|(_, account)| lost.accounts.contains(*account));
        lost.keys = of_lost.map(|(key, _)| key.clone()).collect();
        lost
    }

    /// Adds what was spoilt while it was decided.
    pub(super) fn add(
        &mut self,
        spoilt: QuickSet<AccountId>,
        broken: QuickSet<AccountId>,
        keys: &QuickMap<InboxKey, AccountId>,
    ) {
        self.accounts.extend(spoilt);
        self.accounts.extend(broken.iter().cloned());
        self.broken.extend(broken);
        let of_lost = keys.iter().filter(|(_, account)| self.accounts.contains(*account));
        self.keys.extend(of_lost.map(|(key, _)| key.clone()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }
}

impl Item {
    /// Whether some of it is yet to be decided.
    pub(super) const fn is_todo(&self) -> bool {
        matches!(self, Self::Todo | Self::Halfway | Self::Rest)
    }
}

impl From<Work> for Job {
    fn from(work: Work) -> Self {
        Self { work, found: Found::Todo, attempt: 0 }
    }
}

impl Job {
    pub(super) fn size(&self) -> usize {
        match &self.work {
            Work::Record { items, .. } => items.len(),
            Work::Execute { .. } => 1,
            Work::Decide { accounts, .. } => accounts.len(),
        }
    }

    /// Takes back what rests on something that was lost, to be decided again.
    pub(super) fn strike(&mut self, lost: &Lost) {
        match (&self.work, &mut self.found) {
            (Work::Record { items, .. }, Found::Record(found)) => {
                for (item, found) in items.iter().zip(found) {
                    strike_item(item, found, lost);
                }
            }
            (Work::Execute { account, extra, .. }, found) if lost.accounts.contains(account) => {
                if let Found::Execute(Err(ExecuteError::Failed(fault))) = found
                    && !matches!(fault, Fault::Answered)
                {
                    // It was not done, and its caller hears why.
                    return;
                }
                let overtaken = extra.held.iter().any(|held| lost.not_held.contains(&held.notice));
                let known = |request: &Arc<Request>| lost.answered.contains(&request.request);
                let fault = match extra.request.as_ref().is_some_and(known) {
                    _ if overtaken => Some(Fault::Overtaken),
                    true => Some(Fault::Answered),
                    false if lost.broken.contains(account) => Some(Fault::Panicked),
                    false => None,
                };
                *found = fault.map_or(Found::Todo, |fault| Found::Execute(Err(fault.into())));
            }
            (Work::Decide { accounts, .. }, Found::Decide(again, _)) => {
                let struck = accounts.iter().filter(|account| lost.accounts.contains(*account));
                again.extend(struck.cloned());
            }
            _ => {}
        }
    }

    /// What was decided is durable: nothing that is lost later changes that.
    pub(super) fn keep(&mut self) {
        if let Found::Record(items) = &mut self.found {
            for item in items {
                *item = match mem::replace(item, Item::Todo) {
                    Item::Decided(receipt) | Item::Told(receipt) => Item::Durable(receipt),
                    Item::Halfway => Item::Rest,
                    other => other,
                };
            }
        }
    }

    /// Whether some of it is yet to be decided.
    pub(super) fn is_todo(&self) -> bool {
        match &self.found {
            Found::Todo => true,
            Found::Record(items) => items.iter().any(Item::is_todo),
            Found::Execute(_) => false,
            Found::Decide(again, _) => !again.is_empty(),
        }
    }

    /// The same once more, unless it was tried too often: then its caller hears so.
    pub(super) fn again(mut self) -> Option<Self> {
        self.attempt += 1;
        if self.attempt < ATTEMPTS {
            return Some(self);
        }
        match &mut self.found {
            found @ Found::Todo => *found = Found::Execute(Err(Fault::Conflict.into())),
            Found::Record(items) => {
                for item in items {
                    if item.is_todo() {
                        *item = Item::Durable(Receipt::Faulted(Fault::Conflict.to_string()));
                    }
                }
            }
            // Whatever is due still is found again.
            Found::Decide(again, _) => again.clear(),
            Found::Execute(_) => {}
        }
        self.answer();
        None
    }

    /// Tells the caller. One that went away no longer wants to hear it; the work is durable all
    /// the same.
    pub(super) fn answer(self) {
        match (self.work, self.found) {
            (Work::Record { reply, .. }, Found::Record(items)) => {
                let told = items.into_iter().map(|item| match item {
                    Item::Decided(receipt) | Item::Durable(receipt) => receipt,
                    Item::Told(receipt) => receipt,
                    Item::Todo | Item::Halfway | Item::Rest => {
                        Receipt::Faulted(Fault::Conflict.to_string())
                    }
                });
                drop(reply.send(Ok(told.collect())));
            }
            (Work::Execute { reply, .. }, Found::Execute(done)) => drop(reply.send(done)),
            (Work::Decide { reply, .. }, Found::Decide(_, count)) => drop(reply.send(Ok(count))),
            (work, _) => Self::from(work).fail(&Fault::Conflict),
        }
    }

    /// Tells the caller that nothing of it took effect, or that nobody knows.
    pub(super) fn fail(self, fault: &Fault) {
        match self.work {
            Work::Record { reply, .. } => drop(reply.send(Err(fault.copy()))),
            Work::Execute { reply, .. } => drop(reply.send(Err(fault.copy().into()))),
            Work::Decide { reply, .. } => drop(reply.send(Err(fault.copy()))),
        }
    }
}

fn strike_item(item: &Incoming, found: &mut Item, lost: &Lost) {
    let own = lost.accounts.contains(&item.account);
    if let Item::Halfway = found
        && own
    {
        // First the batch before took the one half away, now the other one is lost as well.
        *found = Item::Todo;
        return;
    }
    if let Item::Told(_) = found
        && !lost.is_empty()
    {
        *found = Item::Rest;
        return;
    }
    let Item::Decided(receipt) = found else { return };
    // What happens to a payment that waits to be assigned, or was, may concern another account too.
    let shared = item.account.debtor.as_str() == UNMATCHED || moves_elsewhere(&item.fact);
    let shared = shared && !lost.is_empty();
    let same = *receipt == Receipt::Duplicate && lost.keys.contains(&item.key);
    match receipt {
        Receipt::UnknownCreditor(_) | Receipt::Faulted(_) => {}
        _ if lost.broken.contains(&item.account) => {
            *receipt = Receipt::Faulted(Fault::Panicked.to_string());
        }
        _ if own || same => *found = Item::Todo,
        Receipt::Accepted if shared => *found = Item::Halfway,
        Receipt::Refused(_) | Receipt::Duplicate if shared => *found = Item::Todo,
        _ => {}
    }
}

/// Whether a fact of any account may concern the one that a payment was assigned to.
const fn moves_elsewhere(fact: &Fact) -> bool {
    use Fact::{PaymentAssigned, PaymentReceived, PaymentRefunded, PaymentReturned};
    matches!(
        fact,
        PaymentReceived { .. }
            | PaymentAssigned { .. }
            | PaymentReturned { .. }
            | PaymentRefunded { .. }
    )
}

#[cfg(test)]
mod tests;
