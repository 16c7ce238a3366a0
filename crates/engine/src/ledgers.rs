//! The ledgers of an engine, and who has which account.
//!
//! An account is always the same ledger's, so that its work stays in its order. Several ledgers
//! decide beside each other and have a transaction each under way: one alone leaves database and
//! processors idle by turns. To each other they are as other instances are: what one of them does
//! to an account of another, a payment that is assigned, stands on the version that it saw. So there
//! are several only where the store is shared, and the ledger reckons with that.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZero,
    sync::Arc,
    thread,
};

use kulanz_domain::ids::AccountId;
use kulanz_store::Store;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    Fault, Incoming, Receipt, RuleBook,
    clock::Clock,
    ledger::{Common, Ledger, Work},
    vault::Vault,
};

/// Ledgers at most: each has one of the store's connections nearly all the time.
const MOST: usize = 4;
/// Bytes that accounts in memory may take where nobody says otherwise.
pub const MEMORY: usize = 1 << 30;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ledgers(Arc<[mpsc::Sender<Work>]>);

impl Ledgers {
    /// Starts them on the current tokio runtime.
    pub(crate) fn start(
        store: &Arc<dyn Store>,
        vault: &Arc<Vault>,
        rules: &RuleBook,
        clock: &Clock,
        common: &Common,
    ) -> Self {
        let count = match store.is_shared() {
            true => thread::available_parallelism().map_or(1, NonZero::get).min(MOST),
            false => 1,
        };
        let start = |_| {
            let (store, vault) = (Arc::clone(store), Arc::clone(vault));
            Ledger::start(store, vault, rules.clone(), clock.clone(), common.clone(), count)
        };
        Self((0..count).map(start).collect())
    }

    /// Comes back where one of them has died.
    pub(crate) async fn died(&self) {
        let lives = self.0.iter().map(|ledger| Box::pin(ledger.closed()));
        futures_util::future::select_all(lives).await;
    }

    /// Gives work on one account to the ledger that has it.
    pub(crate) async fn work_on(&self, account: &AccountId, work: Work) -> Result<(), Fault> {
        self.send(self.place(account), work).await
    }

    /// Has inbound events recorded: on return they have their place among all that happens to
    /// their accounts.
    pub(crate) async fn record(
        &self,
        items: Vec<Incoming>,
        committed: Arc<Notify>,
    ) -> Result<HandedOver, Fault> {
        let count = items.len();
        let mut parts = Vec::new();
        for (ledger, places, items) in self.split(items, |item| &item.account) {
            let (reply, answer) = oneshot::channel();
            self.send(ledger, Work::Record { items, reply }).await?;
            parts.push((places, answer));
        }
        Ok(HandedOver { count, parts, committed })
    }

    /// Has accounts looked at; how many each answer is about, once that is durable.
    pub(crate) async fn decide(&self, accounts: Vec<AccountId>) -> Result<Vec<Answer>, Fault> {
        let mut answers = Vec::new();
        for (ledger, _, accounts) in self.split(accounts, |account| account) {
            let (reply, answer) = oneshot::channel();
            self.send(ledger, Work::Decide { accounts, reply }).await?;
            answers.push(answer);
        }
        Ok(answers)
    }

    async fn send(&self, ledger: usize, work: Work) -> Result<(), Fault> {
        self.0[ledger].send(work).await.map_err(|_| Fault::Stopped)
    }

    fn place(&self, account: &AccountId) -> usize {
        if self.0.len() == 1 {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        account.hash(&mut hasher);
        (hasher.finish() % self.0.len() as u64) as usize
    }

    /// What each ledger gets of it, with the places that it had; nothing for those that get none.
    fn split<T>(
        &self,
        all: Vec<T>,
        account: impl Fn(&T) -> &AccountId,
    ) -> Vec<(usize, Vec<usize>, Vec<T>)> {
        let mut parts: Vec<_> = (0..self.0.len()).map(|at| (at, Vec::new(), Vec::new())).collect();
        for (place, one) in all.into_iter().enumerate() {
            let (_, places, items) = &mut parts[self.place(account(&one))];
            places.push(place);
            items.push(one);
        }
        parts.retain(|(_, places, _)| !places.is_empty());
        parts
    }
}

/// The answer about accounts that are looked at.
pub(crate) type Answer = oneshot::Receiver<Result<usize, Fault>>;

/// The answer about inbound events.
type Told = oneshot::Receiver<Result<Vec<Receipt>, Fault>>;

/// Events that the ledgers have, and have not answered yet.
#[derive(Debug)]
pub struct HandedOver {
    count: usize,
    /// The places of those that a ledger has, and its answer.
    parts: Vec<(Vec<usize>, Told)>,
    committed: Arc<Notify>,
}

impl HandedOver {
    /// A receipt for each event, in their order. Durable on return.
    ///
    /// # Errors
    /// Why some of them, or all, were not recorded, as far as anybody knows. None of them is under
    /// way any more.
    pub async fn receipts(self) -> Result<Vec<Receipt>, Fault> {
        let mut receipts: Vec<Option<Receipt>> = (0..self.count).map(|_| None).collect();
        let mut failed = None;
        for (places, answer) in self.parts {
            match answer.await.map_err(|_| Fault::Stopped).and_then(|told| told) {
                Ok(told) => {
                    for (place, receipt) in places.into_iter().zip(told) {
                        receipts[place] = Some(receipt);
                    }
                }
                Err(fault) => failed = Some(fault),
            }
        }
        if let Some(fault) = failed {
            return Err(fault);
        }
        self.committed.notify_waiters();
        receipts.into_iter().collect::<Option<_>>().ok_or(Fault::Stopped)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use kulanz_domain::fact::{Fact, Stamp};
    use kulanz_store::InboxKey;
    use tokio::sync::mpsc::Receiver;

    use super::*;

    fn ledgers(count: usize) -> (Ledgers, Vec<Receiver<Work>>) {
        let (senders, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(8)).unzip();
        (Ledgers(senders.into()), inboxes)
    }

    /// The `number`th event, about one of nine debtors.
    fn told(number: usize) -> Incoming {
        let key = InboxKey { source: "shop".to_owned(), id: number.to_string() };
        let account = format!("shop/D-{}", number % 9).parse().unwrap();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let stamp = Stamp { at, id: number.to_string() };
        let on = jiff::civil::date(2026, 3, 2);
        let fact = Fact::InsolvencyOpened { on };
        let (secrets, recorded_at, trace) = (Vec::new(), None, None);
        Incoming { key, account, stamp, fact, secrets, recorded_at, trace }
    }

    /// What a ledger was given, which it answers: each event with its own name, as a fault.
    fn answer(inbox: &mut Receiver<Work>) -> Vec<Incoming> {
        let Ok(Work::Record { items, reply }) = inbox.try_recv() else { return Vec::new() };
        let told = items.iter().map(|item| Receipt::Faulted(item.key.id.clone()));
        reply.send(Ok(told.collect())).unwrap();
        items
    }

    #[tokio::test]
    async fn an_account_has_one_ledger_and_receipts_are_in_the_order_of_the_events() {
        let (ledgers, mut inboxes) = ledgers(3);
        let committed = Arc::new(Notify::new());
        let mut owners = std::collections::HashMap::new();
        for call in 0..2 {
            let events = (0..90).map(|number| told(call * 90 + number)).collect();
            let handed_over = ledgers.record(events, Arc::clone(&committed)).await.unwrap();
            for (ledger, inbox) in inboxes.iter_mut().enumerate() {
                let items = answer(inbox);
                let numbers = items.iter().map(|item| item.key.id.parse::<usize>().unwrap());
                assert!(numbers.is_sorted());
                for item in items {
                    assert_eq!(*owners.entry(item.account).or_insert(ledger), ledger);
                }
            }
            let receipts = handed_over.receipts().await.unwrap();
            let expected = (0..90).map(|number| Receipt::Faulted((call * 90 + number).to_string()));
            assert_eq!(receipts, expected.collect::<Vec<_>>());
        }
        let used: std::collections::HashSet<usize> = owners.values().copied().collect();
        assert_eq!(used.len(), 3, "nine debtors are not all of the same ledger");
    }

    #[tokio::test]
    async fn an_answer_comes_when_no_ledger_has_anything_of_it_any_more() {
        let (ledgers, mut inboxes) = ledgers(2);
        let events = (0..9).map(told).collect();
        let handed_over = ledgers.record(events, Arc::default()).await.unwrap();
        let answer_of = tokio::spawn(handed_over.receipts());
        let Ok(Work::Record { reply, .. }) = inboxes[0].try_recv() else { unreachable!() };
        reply.send(Err(Fault::Lost)).unwrap();
        tokio::task::yield_now().await;
        assert!(!answer_of.is_finished());
        answer(&mut inboxes[1]);
        assert!(matches!(answer_of.await.unwrap(), Err(Fault::Lost)));
    }
}
