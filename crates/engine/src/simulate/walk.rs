//! Accounts of a book, page by page, on several threads. What the threads gather is put together
//! in any order, so it has to be sums.

use std::sync::Arc;

use kulanz_domain::ids::{AccountId, CreditorId};
use kulanz_store::{Head, Store};
use tokio::runtime::Handle;

use crate::Fault;

/// Accounts that a thread takes at once.
const AT_ONCE: u32 = 500;

/// Which accounts are looked at: all, or one of `every`, picked by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    every: u64,
}

impl Sample {
    /// All accounts.
    pub const ALL: Self = Self { every: 1 };

    /// Of a book of `accounts`, at most about `most`.
    pub fn of(accounts: u64, most: u64) -> Self {
        Self { every: accounts.div_ceil(most.max(1)).max(1) }
    }

    pub const fn is_all(self) -> bool {
        self.every == 1
    }

    fn takes(self, id: &AccountId) -> bool {
        // Another hash than the one that names partitions and streams of chance would do as well.
        self.is_all() || u64::from(crate::murmur2(id.to_string().as_bytes())) % self.every == 0
    }
}

/// What is walked over.
#[derive(Clone)]
pub(super) struct Walk {
    pub store: Arc<dyn Store>,
    pub creditor: CreditorId,
    pub threads: usize,
}

/// What a thread does with accounts.
pub(super) trait Work: Send + 'static {
    /// Looks at an account.
    fn look(&mut self, runtime: &Handle, id: &AccountId, head: &Head) -> Result<(), Fault>;
}

enum Cursor {
    Before(Option<AccountId>),
    End,
}

impl Walk {
    /// Gives each account of the sample to one of as many workers as there are threads; `passed`
    /// hears how many accounts went by.
    pub async fn over<W: Work>(
        &self,
        sample: Sample,
        passed: &Arc<impl Fn(usize) + Send + Sync + 'static>,
        worker: impl Fn() -> W,
    ) -> Result<Vec<W>, Fault> {
        let cursor = Arc::new(tokio::sync::Mutex::new(Cursor::Before(None)));
        let threads: Vec<_> = (0..self.threads.max(1))
            .map(|_| {
                let (walk, mut work) = (self.clone(), worker());
                let (passed, cursor) = (Arc::clone(passed), Arc::clone(&cursor));
                let runtime = Handle::current();
                tokio::task::spawn_blocking(move || -> Result<W, Fault> {
                    while let Some(page) = runtime.block_on(walk.next(&cursor))? {
                        let count = page.len();
                        let ids: Vec<AccountId> =
                            page.into_iter().filter(|id| sample.takes(id)).collect();
                        let heads = runtime.block_on(walk.store.heads(ids.clone()))?;
                        for (id, head) in ids.iter().zip(heads) {
                            if let Some(head) = head {
                                work.look(&runtime, id, &head)?;
                            }
                        }
                        passed(count);
                    }
                    Ok(work)
                })
            })
            .collect();
        let mut done = Vec::with_capacity(threads.len());
        for thread in threads {
            let joined = thread.await;
            done.push(joined.map_err(|e| Fault::Other(format!("a forecast broke off: {e}")))??);
        }
        Ok(done)
    }

    async fn next(
        &self,
        cursor: &tokio::sync::Mutex<Cursor>,
    ) -> Result<Option<Vec<AccountId>>, Fault> {
        let mut cursor = cursor.lock().await;
        let Cursor::Before(after) = &*cursor else { return Ok(None) };
        let page = self.store.accounts(Some(self.creditor.clone()), after.clone(), AT_ONCE).await?;
        *cursor = match page.last() {
            Some(last) => Cursor::Before(Some(last.clone())),
            None => Cursor::End,
        };
        Ok((!page.is_empty()).then_some(page))
    }
}
