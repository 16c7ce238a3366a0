//! Brings accounts into memory, and gives up what is behind the store.

use kulanz_domain::{fact::Fact, ids::AccountId};
use kulanz_store::{InboxKey, QuickSet};
use tracing::error;

use super::{Job, Keys, Ledger, Touched, WARY, Work};
use crate::{Fault, panics};

impl Ledger {
    /// Brings the accounts of the work into memory; which inbound events were recorded before,
    /// `None` where the store is not asked, and whether decisions are ours to make.
    pub(super) async fn prepare(
        &mut self,
        jobs: &[Job],
    ) -> Result<(Option<QuickSet<InboxKey>>, bool), Fault> {
        let asks = self.wary > 0;
        self.wary = self.wary.saturating_sub(1);
        let (mut keys, mut accounts, mut asked) =
            (Vec::new(), QuickSet::default(), QuickSet::default());
        for job in jobs {
            match &job.work {
                Work::Record { items, .. } => {
                    for item in items {
                        if asks {
                            keys.push(item.key.clone());
                        }
                        accounts.insert(&item.account);
                        if let Fact::PaymentAssigned { to, .. } = &item.fact {
                            accounts.insert(to);
                        }
                    }
                }
                Work::Execute { account, .. } => drop(asked.insert(account)),
                Work::Decide { accounts: due, .. } => asked.extend(due),
            }
        }
        accounts.extend(&asked);
        let hot: Vec<AccountId> = match self.store.is_shared() {
            true => self.desk.lock().hot_of(if asks { &accounts } else { &asked }),
            false => Vec::new(),
        };
        let asked = async {
            match keys.is_empty() && hot.is_empty() {
                true => Ok((Vec::new(), Vec::new())),
                false => self.store.look(keys.clone(), hot.clone()).await.map_err(Fault::from),
            }
        };
        let ((recorded, versions), in_force) =
            tokio::try_join!(asked, self.serving.is_in_force(&*self.store))?;
        self.refresh(hot.into_iter().zip(versions)).await;
        let cold = self.desk.lock().cold_of(accounts);
        self.warm(cold).await?;
        let before = keys.into_iter().zip(recorded).filter(|(_, recorded)| *recorded);
        let before: QuickSet<_> = before.map(|(key, _)| key).collect();
        if !before.is_empty() {
            self.wary = WARY;
        }
        Ok((asks.then_some(before), self.deciding && in_force))
    }

    /// Gives up memory that is not what the store has.
    async fn refresh(&mut self, versions: impl Iterator<Item = (AccountId, u64)>) {
        let mut stale = Vec::new();
        for (account, version) in versions {
            let base = self.bases.get(&account);
            if !self.desk.lock().is_at(&account, version) && base != Some(&version) {
                stale.push(account);
            }
        }
        if stale.iter().any(|account| self.bases.contains_key(account)) {
            // Its memory is ahead of the store in one thing and behind in another.
            self.written().await;
        }
        let mut desk = self.desk.lock();
        stale.iter().for_each(|account| desk.forget(Some(account)));
    }

    /// Reads accounts. One that cannot be read stays cold: nothing can be done to it, and to all
    /// others as ever.
    pub(super) async fn warm(&self, cold: Vec<AccountId>) -> Result<(), Fault> {
        if cold.is_empty() {
            return Ok(());
        }
        let heads = self.store.heads(cold.clone()).await?;
        let mut desk = self.desk.lock();
        for (account, head) in cold.iter().zip(heads) {
            let warmed = panics::caught("ledger", || desk.warm(account, head));
            if let Err(fault) = warmed.and_then(|warmed| warmed) {
                error!(%account, %fault, "an account cannot be read");
            }
        }
        Ok(())
    }

    /// Whether `key` was recorded. Memory of `account` that is behind is given up, unless this
    /// batch or the one before it has changed it: then its version decides.
    pub(super) async fn known(
        &self,
        key: &InboxKey,
        account: &AccountId,
        keys: &Keys,
        dirty: &Touched,
    ) -> Result<bool, Fault> {
        if self.in_flight.contains_key(key) || keys.contains_key(key) {
            return Ok(true);
        }
        let (known, versions) = self.store.look(vec![key.clone()], vec![account.clone()]).await?;
        let mut desk = self.desk.lock();
        let behind = versions.first().is_some_and(|version| !desk.is_at(account, *version));
        if behind && !dirty.accounts.contains(account) && !self.bases.contains_key(account) {
            desk.forget(Some(account));
        }
        Ok(known.first() == Some(&true))
    }
}
