//! What is not an occurrence but a state is looked at now and then: lists that wait for people,
//! wake-ups that wait for us.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use kulanz_engine::{panics, store::OutboxState};
use tracing::{Level, event};

use super::METRIC;
use crate::{house::House, webhooks};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(15);
/// Longest list that is counted.
const MOST: u32 = 10_000;

/// Looks for ever. A store that does not answer is itself a figure.
pub async fn watch(house: Arc<House>) {
    // A list that has become empty is told once more, as 0.
    let mut lists = BTreeMap::new();
    loop {
        let looked = panics::caught_in("watch", look(&house, &mut lists)).await;
        let up = match looked.map_err(Into::into).and_then(|looked| looked) {
            Ok(()) => 1_u64,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "the figures of the store cannot be had");
                0
            }
        };
        event!(target: METRIC, Level::TRACE, gauge.kulanz_store_up = up);
        tokio::time::sleep(EVERY).await;
    }
}

async fn look(house: &House, lists: &mut BTreeMap<String, u64>) -> Result<()> {
    let (engine, store) = (&house.engine, house.engine.store());
    let mut stuck = 0;
    for state in [OutboxState::Parked, OutboxState::Unknown] {
        stuck += store.outbox(Some(state), MOST).await?.len() as u64;
    }
    event!(target: METRIC, Level::TRACE, gauge.kulanz_stuck_messages = stuck);
    let letters = store.dead_letters(true, MOST).await?.len() as u64;
    event!(target: METRIC, Level::TRACE, gauge.kulanz_dead_letters_open = letters);
    lists.values_mut().for_each(|count| *count = 0);
    for (_, row) in store.work(None, MOST).await? {
        *lists.entry(row.list).or_default() += 1;
    }
    for (list, count) in lists.iter() {
        event!(target: METRIC, Level::TRACE, gauge.kulanz_work_items = *count, list = list.as_str());
    }
    webhooks::measure(&**store, &house.settings.webhooks, engine.clock().now()).await?;
    event!(target: METRIC, Level::TRACE, gauge.kulanz_position = store.position().await?);
    let next = store.next_wake(kulanz_store::Partitions::ALL).await?;
    let late = next.map_or(0.0, |due| engine.clock().now().duration_since(due).as_secs_f64());
    event!(target: METRIC, Level::TRACE, gauge.kulanz_oldest_wake_up_seconds = late.max(0.0));
    Ok(())
}
