//! Messages and work that a person has to look at, on the command line.

use anyhow::{Context, Result};
use kulanz_domain::ids::{AccountId, NoticeId};
use kulanz_store::{OutboxRow, OutboxState, Store};
use serde_json::json;

use crate::{brake, data, house::Places, http::shown};

/// Prints messages, newest first.
pub async fn list(store: &dyn Store, stuck: bool, as_json: bool) -> Result<()> {
    let rows: Vec<OutboxRow> = if stuck {
        let mut rows = store.outbox(Some(OutboxState::Parked), 10_000).await?;
        rows.extend(store.outbox(Some(OutboxState::Unknown), 10_000).await?);
        rows
    } else {
        store.outbox(None, 200).await?
    };
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({ "notice": row.notice, "account": row.account,
                        "channel": row.channel.name(), "step": row.step,
                        "state": format!("{:?}", row.state).to_lowercase(),
                        "attempts": row.attempts, "decided_at": row.decided_at.to_string(),
                        "changed_at": row.changed_at.to_string(), "detail": row.detail })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if rows.is_empty() {
        println!("{}", if stuck { "nothing is stuck" } else { "no messages" });
        return Ok(());
    }
    for row in &rows {
        println!(
            "{:<28} {:<24} {:<6} {:<12} {:<10} {}  {}",
            row.notice.to_string(),
            row.account.to_string(),
            row.channel.name(),
            row.step.as_ref().map_or("", |step| step.as_str()),
            format!("{:?}", row.state).to_lowercase(),
            shown(row.changed_at),
            row.detail.as_deref().unwrap_or("")
        );
    }
    if stuck {
        println!("`kulanz outbox sent NOTICE` or `kulanz outbox not-sent NOTICE` settles one");
    }
    Ok(())
}

/// The account of a message.
pub async fn account_of(places: &Places, notice: &NoticeId) -> Result<AccountId> {
    let row = data::read(places).await?.outbox_row(notice.clone()).await?;
    Ok(row.with_context(|| format!("no message {notice}"))?.account)
}

/// Prints what waits for a person.
pub async fn work(store: &dyn Store, as_json: bool) -> Result<()> {
    let mut rows = store.work(None, 10_000).await?;
    rows.sort_by(|(_, a), (_, b)| a.list.cmp(&b.list)); // oldest first within each list
    let brakes = brake::pulled(store).await?;
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(account, row)| {
                json!({ "list": row.list, "account": account, "item": row.item,
                        "since": row.since.to_string(), "detail": row.detail })
            })
            .chain(brakes.iter().map(|(creditor, since, detail)| {
                json!({ "list": "brake", "account": null, "item": creditor,
                        "since": since.to_string(), "detail": detail })
            }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if rows.is_empty() && brakes.is_empty() {
        println!("nothing waits for a person");
    }
    if !brakes.is_empty() {
        println!("brake");
    }
    for (creditor, _, detail) in &brakes {
        println!("  {:<24} {detail}", creditor.to_string());
    }
    let mut list = "";
    for (account, row) in &rows {
        if row.list != list {
            println!("{}", row.list.replace('_', " "));
            list = &row.list;
        }
        println!("  {:<24} {:<28} {}", account.to_string(), row.item, row.detail);
    }
    Ok(())
}
