//! `kulanz webhooks list|retry|send-test`, and what `kulanz doctor` says of them.

use anyhow::{Result, bail};
use jiff::Timestamp;
use kulanz_engine::vault::random;
use kulanz_store::Store;
use serde_json::json;

use super::{
    endpoint::{Endpoint, Sent},
    settings::Webhook,
    state::State,
};
use crate::{data, house::Places, http::shown, orders::Outcome, settings::Settings};

/// An endpoint with where it stands.
async fn all(places: &Places, store: &dyn Store) -> Result<Vec<(Webhook, Option<State>)>> {
    let mut all = Vec::new();
    for webhook in Settings::read(&places.config)?.webhooks {
        let state = State::read(store, &webhook.name).await?;
        all.push((webhook, state));
    }
    Ok(all)
}

fn word(state: Option<&State>) -> &'static str {
    match state {
        None => "new",
        Some(state) if state.parked.is_some() => "parked",
        Some(state) if state.failures > 0 => "failing",
        Some(_) => "well",
    }
}

/// Prints all endpoints.
pub async fn list(places: &Places, as_json: bool) -> Result<()> {
    let store = data::read(places).await?;
    let newest = store.position().await?;
    let all = all(places, &*store).await?;
    if as_json {
        let rows: Vec<_> = all
            .iter()
            .map(|(webhook, state)| {
                json!({ "name": webhook.name, "url": webhook.url, "creditor": webhook.creditor,
                        "events": webhook.events, "state": word(state.as_ref()),
                        "newest_position": newest, "place": state })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if all.is_empty() {
        println!("no webhooks: name some in kulanz.yaml");
    }
    for (webhook, state) in &all {
        println!("{:<16} {:<8} {}", webhook.name, word(state.as_ref()), webhook.url);
        let Some(state) = state else { continue };
        let behind = if state.position < newest { "" } else { ", the newest" };
        println!("{:<16} at position {}{behind}", "", state.position);
        if let Some(why) = &state.parked {
            println!("{:<16} {why}; `kulanz webhooks retry {}`", "", webhook.name);
        } else if let Some(why) = &state.why {
            let next =
                state.next_try.map_or_else(String::new, |at| format!(", again {}", shown(at)));
            println!("{:<16} {} failures, the last: {why}{next}", "", state.failures);
        }
    }
    Ok(())
}

/// What is wrong with webhooks, or that nothing is.
pub async fn outlook(places: &Places, store: &dyn Store) -> Result<String> {
    let all = all(places, store).await?;
    let mut failing = Vec::new();
    for (webhook, state) in &all {
        Endpoint::new(webhook, places)?;
        let Some(state) = state else { continue };
        if let Some(why) = &state.parked {
            bail!("{} is parked: {why}; `kulanz webhooks retry {}`", webhook.name, webhook.name);
        }
        if state.failures > 0 {
            failing.push(format!("{} fails: {}", webhook.name, state.why.as_deref().unwrap_or("")));
        }
    }
    Ok(match failing.is_empty() {
        true => format!("{} set up", all.len()),
        false => format!("{} set up; {}", all.len(), failing.join("; ")),
    })
}

/// Has an endpoint tried again at once, by whoever serves.
pub async fn retry(
    store: &dyn Store,
    webhooks: &[Webhook],
    name: &str,
    by: &str,
) -> Result<Outcome> {
    known(webhooks, name)?;
    State::put_wish(store, name, by).await?;
    Ok(Outcome { said: vec![format!("{name} is tried again")], events: Vec::new() })
}

fn known<'w>(webhooks: &'w [Webhook], name: &str) -> Result<&'w Webhook> {
    let Some(webhook) = webhooks.iter().find(|webhook| webhook.name == name) else {
        let names: Vec<&str> = webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
        if names.is_empty() {
            bail!("no webhook `{name}`: kulanz.yaml names none");
        }
        bail!("no webhook `{name}` in kulanz.yaml; there are: {}", names.join(", "));
    };
    Ok(webhook)
}

/// Sends an event that says nothing, to see whether the other side takes it.
pub async fn send_test(places: &Places, name: &str) -> Result<()> {
    let settings = Settings::read(&places.config)?;
    let endpoint = Endpoint::new(known(&settings.webhooks, name)?, places)?;
    let hex: String = random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let (id, now) = (format!("test-{hex}"), Timestamp::now());
    let body = json!({
        "specversion": "1.0", "id": id, "source": crate::outbound::SOURCE,
        "type": "kulanz.webhook.test.v1", "time": now.to_string(),
        "datacontenttype": "application/json", "data": {},
    });
    match endpoint.send(&format!("evt_{id}"), now, body.to_string()).await {
        Sent::Taken => println!("{name} took it"),
        Sent::Gone => bail!("{name} answers 410: it wants no events"),
        Sent::Failed { why, .. } => bail!("{name} did not take it: {why}"),
    }
    Ok(())
}
