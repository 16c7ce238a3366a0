//! The list of erasures. It lies beside the database, so that a restored older copy of the
//! database cannot bring an erased person back: at each start the list is applied again.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
};

use anyhow::{Context, Result};
use kulanz_delivery::dispatcher::may_have_left;
use kulanz_domain::{Command, account::NoticeState, event::Suppression, ids::AccountId};
use kulanz_engine::{
    brake::{self, Discarded},
    store::OutboxState,
};

use crate::house::House;

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
/// of them starts first on a restored copy applies them again.
pub async fn keep(house: std::sync::Arc<House>) {
    loop {
        let kept = async {
            let listed: std::collections::HashSet<AccountId> =
                listed(&house)?.into_iter().collect();
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

/// Destroys again the keys of all listed accounts that still have one.
pub async fn apply(house: &House) -> Result<()> {
    for account in listed(house)? {
        let known = house.engine.load(&account).await?;
        if known.is_some_and(|loaded| loaded.account.erased_at.is_none()) {
            tracing::warn!(%account, "erased again: the data are older than its erasure");
            let command = Command::Erase { at: house.engine.clock().now() };
            house.engine.execute(&account, command, "erasure list").await?;
            withdraw(house, &account, "erasure list").await?;
        }
    }
    Ok(())
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
