//! Gives an order to whoever works on the data: this process, or the server that holds them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use kulanz_engine::{Mode, clock::Clock, token_hash, vault::random};
use reqwest::header::RETRY_AFTER;

use crate::{
    data,
    house::{House, Places},
    orders::{self, Order, Outcome},
    serve::{ADDRESS_FILE, Address},
};

/// How long a server is asked again that went away with an order, or works on it: longer than one
/// waits before it goes on with what another one died on.
const PATIENCE: Duration = Duration::from_secs(180);
/// The first wait before it is asked again; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

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
        true => match over_http(places, &order, &person, &token, PATIENCE).await? {
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

/// What a server said, or did not.
enum Heard {
    Done(Outcome),
    /// It, or another one, works on the order; it is to be asked again after so long.
    Busy(Duration),
    /// It cannot be reached; the order did not get there this time.
    Away(anyhow::Error),
    /// It went away with the order, and nobody knows what became of it.
    Lost(anyhow::Error),
}

/// Posts the order under a key of its own, and again under the same one where the answer is lost.
/// `None`: no server can be reached, and this process may join those that there are.
async fn over_http(
    places: &Places,
    order: &Order,
    person: &Option<String>,
    token: &Option<String>,
    patience: Duration,
) -> Result<Option<Outcome>> {
    // A server without tokens would take it from nobody in particular.
    if person.is_none() && token.is_none() {
        bail!("whose order is it? Name yourself with --as NAME, or your token with --token");
    }
    let shared = data::is_shared(places)?;
    kulanz_delivery::senders::use_ring();
    // That it repeats something by itself would be told to nobody.
    let client = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build()?;
    let key: String = random::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let (begun, mut pause, mut given) = (Instant::now(), FIRST_PAUSE, false);
    loop {
        // One that was started anew listens elsewhere.
        let heard = match address(places) {
            Err(_) if shared && !given => return Ok(None),
            Err(error) => Heard::Away(error),
            Ok(address) => {
                let mut request = client
                    .post(format!("{}/v1/orders", address.url))
                    .header("idempotency-key", format!("\"{key}\""))
                    .json(order);
                if let Some(person) = person {
                    // Names have letters beyond ASCII, too.
                    request = request.header("x-kulanz-person", person.as_bytes());
                }
                if let Some(token) = token {
                    request = request.bearer_auth(token.trim());
                }
                hear(request.send().await, &address.url).await?
            }
        };
        let (wait, said) = match heard {
            Heard::Done(outcome) => return Ok(Some(outcome)),
            // That one has died; others may be at work.
            Heard::Away(_) if shared && !given => return Ok(None),
            Heard::Away(error) if !given => return Err(error),
            Heard::Busy(after) => (after, "the order is being worked on".to_owned()),
            Heard::Away(error) | Heard::Lost(error) => {
                let wait = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                (wait, format!("{error:#}"))
            }
        };
        given = true;
        if begun.elapsed() + wait > patience {
            bail!(
                "{said}. Nobody answered for {} s: whether the order was done is not known. Look at \
                 what it is about before you give it again",
                begun.elapsed().as_secs()
            );
        }
        eprintln!(
            "{said}; it is asked for again in {} s under the same key, so that nothing is done twice",
            wait.as_secs().max(1)
        );
        tokio::time::sleep(wait).await;
    }
}

/// Where the server of this folder listens.
fn address(places: &Places) -> Result<Address> {
    let text = std::fs::read_to_string(places.data.join(ADDRESS_FILE)).with_context(|| {
        format!(
            "another `kulanz` works on {} and does not say where it listens; wait for it to end",
            places.data.display()
        )
    })?;
    Ok(serde_json::from_str(&text)?)
}

/// An error is a refusal: the answer.
async fn hear(answer: reqwest::Result<reqwest::Response>, url: &str) -> Result<Heard> {
    let response = match answer {
        Ok(response) => response,
        Err(error) if error.is_connect() => {
            let error = anyhow::Error::new(error);
            return Ok(Heard::Away(error.context(format!("the server at {url} does not answer"))));
        }
        Err(error) if error.is_builder() => return Err(error.into()),
        Err(_) => return Ok(Heard::Lost(lost(url))),
    };
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
    let Ok(body) = response.bytes().await else { return Ok(Heard::Lost(lost(url))) };
    if status.is_success() {
        return Ok(Heard::Done(serde_json::from_slice(&body)?));
    }
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if problem["type"] == "urn:kulanz:problem:idempotency_in_flight" {
        return Ok(Heard::Busy(Duration::from_secs(after.unwrap_or(1))));
    }
    let detail = problem["detail"].as_str().unwrap_or("no reason given");
    bail!("the server at {url} says {status}: {detail}")
}

fn lost(url: &str) -> anyhow::Error {
    anyhow!("the server at {url} went away before it answered")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{io::Read, net::TcpListener};

    use super::*;

    /// A server that takes the order and never answers.
    #[tokio::test]
    async fn an_order_that_nobody_answers_is_given_up_in_the_end_and_told_as_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let file = serde_json::to_string(&Address { url }).unwrap();
        std::fs::write(folder.path().join(ADDRESS_FILE), file).unwrap();
        let keys = std::thread::spawn(move || {
            let mut keys = Vec::new();
            while keys.len() < 3 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = [0; 4096];
                let read = stream.read(&mut head).unwrap();
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let key = head.lines().find(|line| line.starts_with("idempotency-key: "));
                keys.push(key.unwrap().to_owned());
            }
            keys
        });
        let data = folder.path().to_owned();
        let places = Places { config: data.clone(), data };
        let order = Order::RetryDeadLetters { number: None };
        let ada = Some("ada".to_owned());
        let patience = Duration::from_secs(4); // 1 s and 2 s are waited, 4 s would be too long
        let told = over_http(&places, &order, &ada, &None, patience).await.unwrap_err().to_string();
        assert!(told.contains("went away before it answered"), "{told}");
        assert!(told.contains("whether the order was done is not known"), "{told}");
        let keys = keys.join().unwrap();
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}
