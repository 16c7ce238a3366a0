//! Gives an order to whoever works on the data: this process, or the server that holds them.

use anyhow::{Context, Result, bail};
use kulanz_engine::{Mode, clock::Clock, token_hash};

use crate::{
    data,
    house::{House, Places},
    orders::{self, Order, Outcome},
    serve::{ADDRESS_FILE, Address},
};

/// Who gives an order, and how the answer is printed.
#[derive(Debug, Clone, Default)]
pub struct Giver {
    /// A name, for the log.
    pub person: Option<String>,
    /// A token; needed once there are any.
    pub token: Option<String>,
    /// Print JSON.
    pub as_json: bool,
}

/// Executes an order and prints what came of it.
pub async fn give(places: &Places, order: Order, giver: Giver) -> Result<()> {
    let Giver { person, token, as_json } = giver;
    let outcome = match data::is_served(places).await? {
        // Where others than a server on this machine work on a database, this process joins them.
        true => match over_http(places, &order, &person, &token).await? {
            Some(outcome) => outcome,
            None => here(places, order, person, token).await?,
        },
        false => here(places, order, person, token).await?,
    };
    if as_json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        outcome.said.iter().for_each(|line| println!("{line}"));
    }
    Ok(())
}

async fn here(
    places: &Places,
    order: Order,
    person: Option<String>,
    token: Option<String>,
) -> Result<Outcome> {
    let house = House::open(places.clone(), Clock::wall(), Mode::Recording).await?;
    let store = house.engine.store();
    let holder = match &token {
        Some(token) => Some(
            store
                .token(token_hash(token.trim()))
                .await?
                .context("this token is not known; `kulanz token list` shows whose there are")?,
        ),
        None => None,
    };
    let name = match (holder, person) {
        (Some(holder), _) => {
            if !order.needs().contains(&holder.role.as_str()) {
                bail!("{} may not do this with role `{}`", holder.person, holder.role);
            }
            // An order for all creditors is not for who speaks for one.
            if holder.creditor.as_ref().is_some_and(|own| order.creditor() != Some(own)) {
                bail!("the token of {} does not speak for this creditor", holder.person);
            }
            holder.person
        }
        (None, _) if !store.tokens().await?.is_empty() => bail!(
            "whose order is it? Name your token with --token or KULANZ_TOKEN (`kulanz token \
             create` makes one)"
        ),
        (None, Some(person)) => person,
        (None, None) => bail!("whose order is it? Name yourself with --as NAME"),
    };
    orders::give(&house, order, &name).await
}

async fn over_http(
    places: &Places,
    order: &Order,
    person: &Option<String>,
    token: &Option<String>,
) -> Result<Option<Outcome>> {
    let file = places.data.join(ADDRESS_FILE);
    let shared = data::is_shared(places)?;
    let text = match std::fs::read_to_string(&file) {
        Err(_) if shared => return Ok(None),
        read => read.with_context(|| {
            format!(
                "another `kulanz` works on {} and does not say where it listens; wait for it to end",
                places.data.display()
            )
        })?,
    };
    // A server without tokens would take it from nobody in particular.
    if person.is_none() && token.is_none() {
        bail!("whose order is it? Name yourself with --as NAME, or your token with --token");
    }
    let address: Address = serde_json::from_str(&text)?;
    kulanz_delivery::senders::use_ring();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut request = client.post(format!("{}/v1/orders", address.url)).json(order);
    if let Some(person) = person {
        request = request.header("x-kulanz-person", person);
    }
    if let Some(token) = token {
        request = request.bearer_auth(token.trim());
    }
    let response = match request.send().await {
        // That one has died; others may be at work.
        Err(error) if shared && error.is_connect() => return Ok(None),
        answer => {
            answer.with_context(|| format!("the server at {} does not answer", address.url))?
        }
    };
    if response.status().is_success() {
        return Ok(Some(response.json().await?));
    }
    let status = response.status();
    let problem: serde_json::Value = response.json().await.unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or("no reason given");
    bail!("the server at {} says {status}: {detail}", address.url)
}
