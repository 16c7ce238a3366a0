//! Days of birth that an earlier release sealed, and of which it kept nothing with the facts: the
//! debtors may be minors, and nobody would look.

use jiff::{civil::Date, tz::TimeZone};
use kulanz_domain::{
    Command,
    fact::{BirthTold, DebtorProfile, Fact, Stamp},
    ids::AccountId,
    law::minor_until,
};
use kulanz_store::{Head, Secret};
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::{Engine, ExecuteError, Fault, Loaded, making, panics};

/// Where it is kept how far the accounts were looked at: the last one of them, or [`ALL`].
pub(crate) const READ: &str = "births_read";
/// No account has this name.
const ALL: &str = "all";
/// Accounts that are looked at together.
const AT_ONCE: u32 = 1000;
/// The cause of what is found.
const CAUSE: &str = "day of birth";

/// The latest word of an account about its debtor, with what it says of the day of birth.
struct Minor {
    id: AccountId,
    stamp: Stamp,
    profile: DebtorProfile,
}

impl Engine {
    /// Opens the day of birth of each account once, unless that was done, and tells the accounts of
    /// minors that they are; how many those are. To be called before anything is decided on data that
    /// an earlier release may have written. What was interrupted goes on where it stopped, and where
    /// several do it at a time it is done once.
    ///
    /// # Errors
    /// [`Fault::Store`] where the store fails. An account that cannot be opened is left out: nobody
    /// can write to it either.
    pub async fn read_births(&self) -> Result<u64, Fault> {
        let mut after: Option<AccountId> = match self.store.meta(READ.to_owned()).await? {
            Some(all) if all == ALL => return Ok(0),
            Some(text) => Some(text.parse().map_err(|e| Fault::Other(format!("{READ}: {e}")))?),
            None => None,
        };
        let (mut found, mut whole) = (0, true);
        loop {
            let page = self.store.accounts(None, after, AT_ONCE).await?;
            let Some(last) = page.last().cloned() else { break };
            let minors = self.minors_of(page).await?;
            found += self.tell(&mut whole, minors).await?;
            if whole {
                self.store.put_meta(READ.to_owned(), Some(last.to_string())).await?;
            }
            after = Some(last);
        }
        if whole {
            self.store.put_meta(READ.to_owned(), Some(ALL.to_owned())).await?;
        }
        Ok(found)
    }

    /// Tells accounts that their debtors are minors; how many heard it. Nothing is decided for one
    /// whose creditor has no file: once there is one, all begins again from here.
    async fn tell(&self, whole: &mut bool, minors: Vec<Minor>) -> Result<u64, Fault> {
        let mut told = JoinSet::new();
        for Minor { id, stamp, profile } in minors {
            let Some(rules) = self.rules.of(&id) else {
                warn!(account = %id, "there is no file for the creditor of a minor");
                *whole = false;
                continue;
            };
            let (at, fact) = (self.clock.now(), Fact::DebtorUpdated { profile });
            let engine = self.clone();
            told.spawn(async move {
                let account = id.clone();
                let command = Command::Record { fact, stamp, at, account, rules };
                let done = engine.execute(&id, command, CAUSE).await;
                (id, done)
            });
        }
        let mut heard = 0;
        while let Some(ended) = told.join_next().await {
            let (account, done) = ended.map_err(|e| Fault::Other(panics::ended(&e).to_owned()))?;
            match done {
                Ok(_) => heard += 1,
                Err(ExecuteError::Refused(_)) => {} // erased in between
                Err(ExecuteError::Failed(fault)) if fault.is_the_accounts() => {
                    error!(%account, %fault, "a minor's account cannot be told");
                }
                Err(ExecuteError::Failed(fault)) => return Err(fault),
            }
        }
        Ok(heard)
    }

    /// Those of `page` of whom it is not known yet that they are minors.
    async fn minors_of(&self, page: Vec<AccountId>) -> Result<Vec<Minor>, Fault> {
        let wanted = page.iter().map(|id| (id.clone(), vec!["debtor".to_owned()])).collect();
        let secrets = self.store.secrets_of(wanted).await?;
        let with: Vec<(AccountId, Vec<Secret>)> =
            page.into_iter().zip(secrets).filter(|(_, secrets)| !secrets.is_empty()).collect();
        let heads = self.store.heads(with.iter().map(|(id, _)| id.clone()).collect()).await?;
        let mut minors = Vec::new();
        for ((id, secrets), head) in with.into_iter().zip(heads) {
            let Some(head) = head else { continue };
            let minor = panics::caught("births", || self.minor(&id, &head, secrets));
            match minor.flatten() {
                Ok(minor) => minors.extend(minor),
                Err(fault) if fault.is_the_accounts() => {
                    error!(account = %id, %fault, "a day of birth cannot be opened");
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(minors)
    }

    fn minor(
        &self,
        id: &AccountId,
        head: &Head,
        secrets: Vec<Secret>,
    ) -> Result<Option<Minor>, Fault> {
        let Loaded { account, key: Some(key), .. } = self.loaded(id, head)? else {
            return Ok(None);
        };
        let Some((stamp, profile)) = account.debtor else { return Ok(None) };
        if profile.birth_word(&stamp).is_some() {
            return Ok(None);
        }
        let opened = making::opened(id, &key, secrets)?;
        let told_on = stamp.at.to_zoned(TimeZone::UTC).date();
        let born_on = opened.data.get("debtor").and_then(born_on);
        Ok(born_on.and_then(|born_on| minor_until(born_on, told_on)).map(|until| {
            let (minor_until, birth_told) = (Some(until), BirthTold::Here);
            let profile = DebtorProfile { minor_until, birth_told, ..profile };
            Minor { id: id.clone(), stamp, profile }
        }))
    }
}

fn born_on(debtor: &Value) -> Option<Date> {
    debtor.get("birth_date")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests;
