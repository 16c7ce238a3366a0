//! Plans: what a policy that is not in force yet would change on the live book.
//!
//! Every account of the creditor with something open is played forward from where it stands, twice:
//! under the rules in force, and under those with the candidate. Both futures are told claim by
//! claim and step by step, and compared.
//!
//! A future is what would happen **as if nobody paid**: nobody answers, nothing new is invoiced, and
//! a gateway takes each message at once. It is no forecast; it is the one assumption under which two
//! policies can be compared without guessing. What persons decide (releasing a placement, letting an
//! old claim in) does not happen in it either.
//!
//! The store is only read, page by page, also beside a server that works on it. The result depends
//! on book, time and rules alone, not on the number of threads.

pub(crate) mod ahead;
mod brake;
mod compare;
mod report;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use kulanz_domain::{
    book::Book,
    ids::{AccountId, CreditorId},
    policy::Rules,
};
use kulanz_store::{Head, Store};

pub use brake::Stopped;
pub use report::{
    Asked, Aspect, Hindrance, Line, Listed, Moment, Moved, Report, Side, StepChanges, text_name,
};

use crate::{Fault, backtest::cores, replay};

/// Accounts that a thread takes at once.
const AT_ONCE: u32 = 500;

/// The rules to compare, of one creditor.
#[derive(Debug, Clone)]
pub struct Pair {
    /// In force.
    pub in_force: Arc<Rules>,
    /// With the candidate in its place.
    pub candidate: Arc<Rules>,
    /// Texts that both have under the same name, with other words: see [`text_name`].
    pub reworded: BTreeSet<String>,
}

/// What to look at.
#[derive(Debug, Clone)]
pub struct Options {
    /// The moment from which both futures are told.
    pub from: Timestamp,
    /// How many days of 24 hours.
    pub days: u16,
    /// At most so many claims are named in each list; the others are counted.
    pub list: usize,
    /// Threads to use; `None`: as many as there are cores.
    pub threads: Option<usize>,
}

impl Options {
    /// The first moment that is not looked at any more.
    pub fn end(&self) -> Timestamp {
        let span = SignedDuration::from_hours(24 * i64::from(self.days));
        self.from.saturating_add(span).unwrap_or(Timestamp::MAX)
    }
}

/// What all threads share.
struct Course {
    store: Arc<dyn Store>,
    pair: Pair,
    options: Options,
    creditor: CreditorId,
    /// The last account that a thread took; behind a lock, so that each page is taken once.
    after: tokio::sync::Mutex<Cursor>,
    whole: Mutex<Report>,
}

enum Cursor {
    Before(Option<AccountId>),
    End,
}

/// Compares the futures of all accounts. `progress` hears how many accounts were looked at since it
/// last heard.
///
/// # Errors
/// What the store says, and a stored account that cannot be read or played.
pub async fn compare(
    store: Arc<dyn Store>,
    pair: Pair,
    options: Options,
    progress: impl Fn(usize) + Send + Sync + 'static,
) -> Result<Report, Fault> {
    let threads = cores(options.threads);
    let before = brake::Before::of(&*store, &pair.in_force, options.from).await?;
    let brakes = [pair.in_force.brake(), pair.candidate.brake()];
    let course = Arc::new(Course {
        store,
        creditor: pair.in_force.creditor.id.clone(),
        pair,
        options,
        after: tokio::sync::Mutex::new(Cursor::Before(None)),
        whole: Mutex::default(),
    });
    let progress = Arc::new(progress);
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let (course, progress) = (Arc::clone(&course), Arc::clone(&progress));
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || course.work(&runtime, &*progress))
        })
        .collect();
    for worker in workers {
        worker.await.map_err(|error| Fault::Other(format!("a plan broke off: {error}")))??;
    }
    let mut whole = course.whole.lock().unwrap_or_else(PoisonError::into_inner);
    let mut report = std::mem::take(&mut *whole);
    for (side, brake) in [&mut report.in_force, &mut report.candidate].into_iter().zip(brakes) {
        let minutes = std::mem::take(&mut side.minutes);
        side.stopped = brake.and_then(|brake| before.ahead(brake, &minutes));
        side.brake = brake;
    }
    report.finish();
    Ok(report)
}

impl Course {
    /// Plays pages until there is none left.
    fn work(
        &self,
        runtime: &tokio::runtime::Handle,
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<(), Fault> {
        let mut part = Report::default();
        while let Some((accounts, heads)) = runtime.block_on(self.next_page())? {
            let count = accounts.len();
            for (id, head) in accounts.iter().zip(heads) {
                if let Some(head) = head {
                    self.play(id, &head, &mut part)?;
                }
            }
            part.accounts += u64::try_from(count).unwrap_or(u64::MAX);
            progress(count);
        }
        self.whole.lock().unwrap_or_else(PoisonError::into_inner).merge(part, self.options.list);
        Ok(())
    }

    async fn next_page(&self) -> Result<Option<(Vec<AccountId>, Vec<Option<Head>>)>, Fault> {
        let accounts = {
            let mut cursor = self.after.lock().await;
            let Cursor::Before(after) = &*cursor else { return Ok(None) };
            let creditor = Some(self.creditor.clone());
            let page = self.store.accounts(creditor, after.clone(), AT_ONCE).await?;
            *cursor = match page.last() {
                Some(last) => Cursor::Before(Some(last.clone())),
                None => Cursor::End,
            };
            page
        };
        if accounts.is_empty() {
            return Ok(None);
        }
        let heads = self.store.heads(accounts.clone()).await?;
        Ok(Some((accounts, heads)))
    }

    fn play(&self, id: &AccountId, head: &Head, part: &mut Report) -> Result<(), Fault> {
        let account = replay(head)?;
        let open = |claim: &kulanz_domain::claim::Claim| {
            claim.invoice.is_some() && claim.settled_on.is_none()
        };
        if !account.claims.values().any(|claim| open(claim)) {
            return Ok(());
        }
        part.open += 1;
        // Both futures begin with these books: computed here, they go along with each copy.
        let _books = Book::all(&account).count();
        let end = self.options.end();
        let start = ahead::Start { id, account: &account, version: head.version };
        let span = (self.options.from, end);
        let now = ahead::play(&start, &self.pair.in_force.of(id), span);
        let then = ahead::play(&start, &self.pair.candidate.of(id), span);
        let refused = |refusal| Fault::Other(format!("{id} cannot be played ahead: {refusal}"));
        let (now, then) = (now.map_err(refused)?, then.map_err(refused)?);
        compare::add(&self.pair, id, &account, (&now, &then), self.options.list, part);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
