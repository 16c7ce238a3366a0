//! `kulanz brake discard`: messages that wait behind a pulled brake are not sent.

use anyhow::{Context, Result};
use jiff::SignedDuration;
use kulanz_delivery::dispatcher::may_have_left;
use kulanz_domain::{
    event::Suppression,
    ids::{CreditorId, StepName},
};
use kulanz_engine::brake::{self, Discarded};
use kulanz_store::Store;
use tokio::task::JoinSet;

use super::{MOST, not_pulled};
use crate::{
    house::{House, count},
    http::idempotency::Begun,
    orders::Outcome,
};

/// Accounts that are worked on at the same time, so that they share transactions.
const AT_ONCE: usize = 500;

/// Which of the messages that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Decided longer ago than so many days of 24 hours.
    pub older_than_days: Option<u32>,
    /// Of this step.
    pub step: Option<StepName>,
}

/// How many messages came to which end.
#[derive(Debug, Default)]
struct Ends {
    discarded: usize,
    unknown: usize,
    left: usize,
    over: usize,
    /// Not looked at, since somebody released the brake meanwhile.
    released: usize,
}

/// Discards messages that wait behind a pulled brake: each is an event of its account, and its
/// ladder decides again, by the policy in force. `begun`: the order came with a key.
pub async fn discard(
    house: &House,
    creditor: &CreditorId,
    chosen: &Chosen,
    person: &str,
    begun: Option<&Begun>,
) -> Result<Outcome> {
    let store = &**house.engine.store();
    // Of an order that is gone on with, what was decided since is not meant.
    let now = begun.map_or_else(|| house.engine.clock().now(), |begun| begun.at);
    if !is_pulled(store, creditor).await? {
        return Err(not_pulled(creditor));
    }
    let before = match chosen.older_than_days {
        Some(days) => now.checked_sub(SignedDuration::from_hours(24 * i64::from(days)))?,
        None => now,
    };
    let mut rows = store.queued(creditor.clone(), MOST).await?;
    rows.retain(|(row, _)| {
        row.decided_at <= before
            && chosen.step.as_ref().is_none_or(|step| row.step.as_ref() == Some(step))
    });
    let cause = format!("person:{person}");
    let mut ends = Ends::default();
    for part in rows.chunks(AT_ONCE) {
        if ends.released > 0 || !is_pulled(store, creditor).await? {
            ends.released += part.len();
            continue;
        }
        let mut under_way = JoinSet::new();
        for (row, _) in part {
            let (engine, cause, row) = (house.engine.clone(), cause.clone(), row.clone());
            under_way.spawn(async move {
                let why = (Suppression::Braked, cause.as_str());
                brake::discard(&engine, row, may_have_left, why).await
            });
        }
        while let Some(end) = under_way.join_next().await {
            match end? {
                Ok(Discarded::Done) => ends.discarded += 1,
                Ok(Discarded::Unknown) => ends.unknown += 1,
                Ok(Discarded::Left) => ends.left += 1,
                Ok(Discarded::Over) => ends.over += 1,
                Err(fault) => {
                    let done = count(ends.discarded, "message");
                    return Err(anyhow::Error::new(fault))
                        .with_context(|| format!("{done} discarded; say it again for the others"));
                }
            }
        }
    }
    let discarded = ends.discarded;
    tracing::info!(%creditor, person, discarded, "messages behind a brake were discarded");
    let mut said = said(&ends);
    if begun.is_some_and(|begun| begun.again) {
        said.push(
            "this order was cut off before: what it had discarded then is not counted".into(),
        );
    }
    Ok(Outcome { said, events: Vec::new() })
}

async fn is_pulled(store: &dyn Store, creditor: &CreditorId) -> Result<bool> {
    let brakes = brake::read(store).await?;
    Ok(brakes.get(creditor).is_some_and(|state| state.pulled.is_some()))
}

fn said(ends: &Ends) -> Vec<String> {
    let Ends { discarded, unknown, left, over, released } = *ends;
    let mut said = vec![format!(
        "{} discarded; each account decides again, by the policy in force",
        count(discarded, "message")
    )];
    if unknown > 0 {
        said.push(format!(
            "{unknown} may have left in an earlier attempt: whether they did, a person has to say \
             (`kulanz outbox list --stuck`)"
        ));
    }
    if left > 0 {
        said.push(format!("{left} had been let through before: they have left, or are leaving"));
    }
    if over > 0 {
        said.push(format!("{over} had come to an end otherwise"));
    }
    if released > 0 {
        said.push(format!("the brake was released meanwhile: {released} may leave"));
    }
    said
}
