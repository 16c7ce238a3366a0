//! The list of erasures. It lies beside the database, so that a restored older copy of the
//! database cannot bring an erased person back: at each start the list is applied again.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
};

use anyhow::{Context, Result};
use kulanz_delivery::dispatcher::may_have_left;
use kulanz_domain::{Command, account::NoticeState, event::Suppression, ids::AccountId};
use kulanz_engine::{
    Engine, ExecuteError,
    brake::{self, Discarded},
    panics,
    store::OutboxState,
};

use crate::house::House;

/// The cause of what is erased again.
const CAUSE: &str = "erasure list";

fn file(house: &House) -> PathBuf {
    house.places.data.join("erasures.txt")
}

/// Adds an account to the list, durably, before its key is destroyed.
pub fn note(house: &House, account: &AccountId) -> Result<()> {
    let path = file(house);
    if listed(house)?.contains(account) {
        return Ok(());
    }
    let mut list =
        OpenOptions::new().create(true).append(true).open(&path).with_context(|| {
            format!("the list of erasures {} cannot be written", path.display())
        })?;
    writeln!(list, "{account}")?;
    list.sync_all()?;
    Ok(())
}

fn listed(house: &House) -> Result<Vec<AccountId>> {
    let path = file(house);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(other) => return Err(other).with_context(|| path.display().to_string()),
    };
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.parse().with_context(|| path.display().to_string())).collect()
}

/// Takes the erasures that any instance made over into the list, now and every hour: whichever
/// of them starts first on a restored copy applies them again. What is listed and was not done, since
/// it failed, is done.
pub async fn keep(house: std::sync::Arc<House>) {
    loop {
        let kept = async {
            apply(&house).await?;
            let listed: HashSet<AccountId> = listed(&house)?.into_iter().collect();
            for account in house.engine.store().erasures().await? {
                if !listed.contains(&account) {
                    note(&house, &account)?;
                }
            }
            anyhow::Ok(())
        };
        if let Err(error) = kept.await {
            tracing::error!(error = format!("{error:#}"), "the list of erasures cannot be kept");
        }
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    }
}

/// Destroys again the keys of all listed accounts that still have one. An account that makes the
/// program panic, or cannot be read, holds up no other, and is erased all the same, past its books:
/// nobody may be shown or contacted because of a bug.
pub async fn apply(house: &House) -> Result<()> {
    let engine = &house.engine;
    let done: HashSet<AccountId> = engine.store().erasures().await?.into_iter().collect();
    for account in listed(house)?.into_iter().filter(|account| !done.contains(account)) {
        let again = panics::caught_in("erasures", again(engine, &account)).await;
        match again.map_err(ExecuteError::Failed).flatten() {
            Ok(false) => continue,
            Ok(true) => withdraw_again(house, &account).await,
            Err(ExecuteError::Failed(fault)) if fault.is_the_accounts() => {
                engine.erase_aside(&account, CAUSE).await?;
                tracing::error!(
                    %account, %fault,
                    "erased past its books, which cannot be made: its figures stay as they were"
                );
            }
            Err(other) => return Err(other.into()),
        }
        tracing::warn!(%account, "erased again: the data are older than its erasure");
    }
    Ok(())
}

/// Whether there was anything to erase.
async fn again(engine: &Engine, account: &AccountId) -> Result<bool, ExecuteError> {
    let known = engine.load(account).await?;
    let left = known.is_some_and(|loaded| loaded.account.erased_at.is_none());
    if left {
        engine.execute(account, Command::Erase { at: engine.clock().now() }, CAUSE).await?;
    }
    Ok(left)
}

/// What fails here is found by whoever takes the message: an erased account's never leaves.
async fn withdraw_again(house: &House, account: &AccountId) {
    let withdrawn = panics::caught_in("erasures", withdraw(house, account, CAUSE)).await;
    if let Err(error) = withdrawn.map_err(Into::into).flatten() {
        let error = format!("{error:#}");
        tracing::error!(%account, error, "messages of an erased account are not withdrawn yet");
    }
}

/// Messages of an erased account that wait are not sent; whoever looks at them next would find the
/// same. How many somebody has at this moment: what became of those is told as it was.
pub async fn withdraw(house: &House, account: &AccountId, cause: &str) -> Result<usize> {
    let engine = &house.engine;
    let loaded = engine.load(account).await?.map(|loaded| loaded.account);
    let Some(erased) = loaded.filter(|account| account.erased_at.is_some()) else { return Ok(0) };
    let waiting = erased.notices.into_iter();
    let waiting = waiting.filter(|(_, notice)| notice.state == NoticeState::Decided);
    let mut under_way = 0;
    for (notice, _) in waiting {
        let Some(row) = engine.store().outbox_row(notice).await? else { continue };
        let done = match row.state {
            OutboxState::Queued => {
                let why = (Suppression::Erased, cause);
                brake::discard(engine, row, may_have_left, why).await?
            }
            _ => Discarded::Left,
        };
        under_way += usize::from(done == Discarded::Left);
    }
    Ok(under_way)
}
