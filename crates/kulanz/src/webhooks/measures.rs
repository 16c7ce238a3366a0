//! How endpoints stand, as figures: looked at now and then, by every instance from the same data.

use anyhow::Result;
use jiff::Timestamp;
use kulanz_store::Store;
use tracing::{Level, event};

use super::{settings::Webhook, state::State};
use crate::telemetry::METRIC;

/// Tells the figures of all endpoints that the settings name.
pub async fn measure(store: &dyn Store, webhooks: &[Webhook], now: Timestamp) -> Result<()> {
    if webhooks.is_empty() {
        return Ok(());
    }
    let newest = store.position().await?;
    for Webhook { name: webhook, .. } in webhooks {
        // Nothing was sent to it yet, by anybody.
        let Some(state) = State::read(store, webhook).await? else { continue };
        let (webhook, parked) = (webhook.as_str(), u64::from(state.parked.is_some()));
        event!(target: METRIC, Level::TRACE, gauge.kulanz_webhook_parked = parked, webhook);
        let failing = failing_seconds(&state, now);
        event!(target: METRIC, Level::TRACE, gauge.kulanz_webhook_failing_seconds = failing, webhook);
        let behind = newest.saturating_sub(state.position);
        event!(target: METRIC, Level::TRACE, gauge.kulanz_webhook_behind_events = behind, webhook);
    }
    Ok(())
}

/// For how long it has not taken what it was sent.
fn failing_seconds(state: &State, now: Timestamp) -> f64 {
    state.failing_since.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0))
}
