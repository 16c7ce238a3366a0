//! Our own copies of placements, once the person in them is erased.
//!
//! A placement is one account's, so its folder is emptied, and a note left. That the key is
//! destroyed does not wait for it: a folder may be away for an hour. So what is erased is known
//! from the accounts, and what is done, from the store's list of placements; an erased account's
//! placement that does not stand there as erased is unfinished, is told so, and is tried again by
//! the instance that writes folders.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use kulanz_delivery::placement::{Erased, WriteError, document::FORMAT, erase_folder, folder_of};
use kulanz_domain::{
    account::{Placement, PlacementState},
    ids::*,
};
use kulanz_store::{PlacementRow, Store};

use super::{DELIVERED, RECALLED, alone, beside, mark, recall, root, writes};
use crate::house::{House, count};

/// State of a placement of which nothing personal is left in its folder.
const ERASED: &str = "erased";

/// Erases the copies of an account whose key was just destroyed, and says what it did.
pub async fn erase(house: &House, account: &AccountId) -> Result<Vec<String>> {
    if writes(house).await? {
        return erase_all(house, account, &states(house).await?).await.with_context(|| {
            format!(
                "the key of {account} is destroyed; of its placements not all copies are erased \
                 yet, which a server tries again (`kulanz handoff list` shows them until then)"
            )
        });
    }
    let left = unfinished(&**house.engine.store()).await?;
    let left = left.iter().filter(|row| row.account == *account).count();
    Ok(match left {
        0 => Vec::new(),
        _ => vec![format!(
            "the instance that hands over erases {} of it; `kulanz handoff list` shows them until \
             then",
            count(left, "placement's copy")
        )],
    })
}

/// Erases the copies of erased accounts that are left. With `again`, also those that were erased
/// once: a folder may have come back from a backup.
pub(super) async fn erase_left(house: &House, again: bool) -> Result<()> {
    let store = &**house.engine.store();
    let accounts: BTreeSet<AccountId> = match again {
        true => store.erasures().await?.into_iter().collect(),
        false => unfinished(store).await?.into_iter().map(|row| row.account).collect(),
    };
    if accounts.is_empty() {
        return Ok(());
    }
    let states = states(house).await?;
    let mut failed = Vec::new();
    for account in accounts {
        match alone(erase_all(house, &account, &states)).await {
            Ok(said) if !again => {
                said.iter().for_each(|sentence| tracing::info!(%account, "{sentence}"));
            }
            Ok(_) => {}
            Err(error) => failed.push(format!("{account}: {error:#}")),
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("; ")) }
}

/// Placements that went out, of erased accounts, whose copies are not erased yet.
pub(super) async fn unfinished(store: &dyn Store) -> Result<Vec<PlacementRow>> {
    let mut rows = store.placements().await?;
    rows.retain(|row| row.state != ERASED);
    if !rows.is_empty() {
        let erased: BTreeSet<AccountId> = store.erasures().await?.into_iter().collect();
        rows.retain(|row| erased.contains(&row.account));
    }
    Ok(rows)
}

type States = HashMap<PlacementId, String>;

async fn states(house: &House) -> Result<States> {
    let rows = house.engine.store().placements().await?;
    Ok(rows.into_iter().map(|row| (row.placement, row.state)).collect())
}

/// Goes through all placements of an account, also where one of them fails.
async fn erase_all(house: &House, id: &AccountId, states: &States) -> Result<Vec<String>> {
    let loaded = house.engine.load(id).await?.context("no such account")?;
    let Some(erased_at) = loaded.account.erased_at else { return Ok(Vec::new()) };
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    for (placement, entry) in &loaded.account.placements {
        if matches!(entry.state, PlacementState::Due | PlacementState::Withdrawn) {
            continue; // it never went out
        }
        let state = states.get(placement).map(String::as_str);
        let of = One { id, placement, entry, erased_at };
        match of.erase(house, state).await {
            Ok(done) => said.extend(done),
            Err(error) => failed.push(format!("{error:#}")),
        }
    }
    if failed.is_empty() { Ok(said) } else { bail!("{}", failed.join("; ")) }
}

/// One placement of an erased account.
struct One<'a> {
    id: &'a AccountId,
    placement: &'a PlacementId,
    entry: &'a Placement,
    erased_at: Timestamp,
}

impl One<'_> {
    async fn erase(&self, house: &House, state: Option<&str>) -> Result<Option<String>> {
        let (placement, agency) = (self.placement, &self.entry.agency);
        let root = root(house, agency, &self.id.creditor).with_context(|| {
            format!(
                "where the copy of placement {placement} for {agency} lies is not known any more: \
                 delete what is in the folder {}/{placement} of that agency by hand, and put the \
                 agency into the creditor's file again, so that this can be seen to",
                self.id.creditor
            )
        })?;
        let folder = folder_of(&root, &self.id.creditor, placement);
        let note = Erased {
            format: FORMAT,
            placement: placement.clone(),
            agency: agency.clone(),
            creditor: self.id.creditor.clone(),
            erased_at: self.erased_at,
        };
        let erased = beside(move || erase_folder(&root, &note)).await?;
        let was_there = match erased {
            Ok(was_there) => was_there,
            Err(error) => {
                // What is unfinished has to be told so, also where a crash kept it from the list,
                // or where it came back.
                match state {
                    None => self.mark(house, DELIVERED).await?,
                    Some(ERASED) => self.mark(house, RECALLED).await?,
                    Some(_) => {}
                }
                return Err(by_hand(&folder, error));
            }
        };
        if !was_there && state.is_none() {
            return Ok(None);
        }
        if state.is_none_or(|state| state.starts_with(DELIVERED)) {
            self.call_back(house).await?;
        }
        if state != Some(ERASED) {
            self.mark(house, ERASED).await?;
        }
        let folder = folder.display();
        Ok(Some(match was_there {
            true => format!("{folder} is erased but for a note that says so, without a name"),
            false => format!("{folder} is not there any more: erase it where it was taken to"),
        }))
    }

    async fn mark(&self, house: &House, state: &str) -> Result<()> {
        mark(house, self.id, self.placement, self.entry.agency.to_string(), state).await
    }

    /// Calls back what had gone out, which nobody does once it stands as erased.
    async fn call_back(&self, house: &House) -> Result<()> {
        match recall(house, self.id, self.placement).await {
            // By data that were restored since: the first word stands.
            Err(error) if differs(&error) => {
                tracing::warn!(placement = %self.placement, "it was called back before");
                Ok(())
            }
            other => other,
        }
    }
}

fn differs(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(WriteError::Differs { .. }))
}

fn by_hand(folder: &Path, error: WriteError) -> anyhow::Error {
    anyhow::Error::new(error).context(format!(
        "{} still holds name and address of an erased person: make it writable, or delete it by \
         hand",
        folder.display()
    ))
}
