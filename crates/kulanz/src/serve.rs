//! `kulanz serve`: events in, wake-ups, messages out, pages; until it is told to stop.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use kulanz_delivery::dispatcher::Dispatcher;
use kulanz_domain::ids::CreditorId;
use kulanz_engine::panics;
use kulanz_pages::{Agency, Counselling, CreditorCard, Pages};
use kulanz_policies::CreditorFile;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

mod beside;

use beside::{Beside, died as ends};

use crate::{
    health,
    house::House,
    http::{self, Server},
    kafka, webhooks,
};

/// Written into the data folder while a server works on it, so that the command line finds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Address {
    /// `http://127.0.0.1:8080`.
    pub url: String,
}

/// Name of the file with the [`Address`].
pub const ADDRESS_FILE: &str = "server.json";

/// How long messages under way are waited for: a little longer than a gateway by default.
const LAST_MESSAGES: Duration = Duration::from_secs(75);

/// How long requests under way are waited for.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

/// Accounts that are looked at in a second after the rules changed.
const LOOKS_A_SECOND: u32 = 2000;

/// A server that has begun to listen.
pub struct Running {
    /// The installation.
    pub house: Arc<House>,
    /// Brings messages out.
    pub dispatcher: Arc<Dispatcher>,
    /// Where it listens.
    pub address: SocketAddr,
    listener: tokio::net::TcpListener,
    router: axum::Router,
    webhooks: Vec<webhooks::Endpoint>,
    kafka: Option<kafka::Running>,
    ending: Arc<AtomicBool>,
}

impl Running {
    /// Binds `address` and puts the parts together. Where the settings name a Kafka cluster that
    /// is not ready, that is told now; nobody else is contacted yet.
    pub async fn new(house: House, address: SocketAddr) -> Result<Self> {
        let listener = http::listen(&house, address).await?;
        let address = listener.local_addr()?;
        let base_url = match &house.settings.base_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{address}"),
        };
        let dispatcher = Arc::new(house.dispatcher(&base_url)?);
        let webhooks = webhooks::endpoints(&house)?;
        let sandbox = crate::house::is_sandbox(&house.settings, &house.loaded.creditors)
            && address.ip().is_loopback();
        let house = Arc::new(house);
        let cards = house.loaded.creditors.values();
        let cards: HashMap<CreditorId, Arc<CreditorCard>> =
            cards.map(|file| (file.id().clone(), Arc::new(card(file)))).collect();
        let shared_url = Arc::from(base_url.as_str());
        let pages = Pages {
            engine: house.engine.clone(),
            creditors: Arc::new(move |creditor| cards.get(creditor).map(Arc::clone)),
            base_url,
            dev_mode: sandbox,
            renew: Some(renewal(&dispatcher)),
        };
        let ending = Arc::<AtomicBool>::default();
        let (known, told) = (Arc::clone(&house), Arc::clone(&ending));
        let under_way = http::idempotency::UnderWay::default();
        let server =
            Server { house: known, base_url: shared_url, sandbox, ending: told, under_way };
        let router = health::router(server.clone())
            .merge(http::router(server))
            .layer(axum::middleware::from_fn(http::caught))
            .merge(kulanz_pages::router(pages));
        if house.engine.serve_rules(&house.fingerprint).await? {
            tracing::warn!(
                "other rules were served before: an instance that has them decides no more"
            );
        }
        let kafka = kafka::Running::start(&house).await?;
        Ok(Self { house, dispatcher, address, listener, router, webhooks, kafka, ending })
    }

    /// Where it can be reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until the process is told to stop (SIGTERM, SIGINT); requests under way finish.
    pub async fn serve(self) -> Result<()> {
        let recovered = self.dispatcher.recover().await?;
        if recovered > 0 {
            tracing::warn!(recovered, "messages of an interrupted process were looked at");
        }
        let file = self.house.places.data.join(ADDRESS_FILE);
        let address = self.url();
        write_address(&file, &address)?;
        let engine = self.house.engine.clone();
        let mut wake_ups = tokio::spawn(async move { engine.run_wake_ups().await });
        let mut beside = Beside::default();
        let house = || Arc::clone(&self.house);
        beside.spawn("looks at all accounts anew", look_again(house()));
        beside.spawn("looks at lists", crate::telemetry::watch(house()));
        beside.spawn("writes placements", crate::handoff::run(house()));
        beside.spawn("sends webhooks", webhooks::run(house(), self.webhooks));
        beside.spawn("looks for other rules", tell_outdated(self.house.engine.outdated()));
        beside.spawn("keeps the list of erasures", crate::erasures::keep(house()));
        let dispatcher = Arc::clone(&self.dispatcher);
        let (stop, told) = tokio::sync::watch::channel(false);
        let mut messages = tokio::spawn(async move { dispatcher.run(told).await });
        let service = self.router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(self.listener, service).with_graceful_shutdown(stopped());
        // Whoever holds a connection open does not hold the server up.
        let waited_out = async {
            stopped().await;
            tokio::time::sleep(LAST_REQUESTS).await;
        };
        let mut kafka = self.kafka;
        // A server that only looks well is of no use: where a part has died, the rest ends in order,
        // and whoever watches over the process starts it anew.
        let served = tokio::select! {
            served = serving.into_future() => served.context("the server ended"),
            () = waited_out => Ok(()),
            error = died(&mut wake_ups, "takes wake-ups") => Err(error),
            error = died(&mut messages, "sends messages") => Err(error),
            error = beside.died() => Err(error),
            error = failed(kafka.as_mut()) => Err(error),
            () = self.house.engine.died() => Err(anyhow!(
                "the part of the server that decides and records has died, so the server ends too"
            )),
        };
        self.ending.store(true, Ordering::Relaxed);
        if let Err(error) = &served {
            tracing::error!("{error:#}");
        }
        if let Some(kafka) = kafka {
            kafka.stop().await;
        }
        wake_ups.abort();
        drop(beside);
        // A message that is half out would be of unknown outcome: what is under way ends first.
        stop.send_replace(true);
        let last = async {
            if !messages.is_finished() {
                // That it dies now is told by nobody; the store knows what it was doing.
                let _ = messages.await;
            }
        };
        if tokio::time::timeout(LAST_MESSAGES, last).await.is_err() {
            tracing::warn!("messages were still on their way when the server ended");
        }
        remove_address(&file, &address)?;
        served
    }
}

/// Comes back where a task has died that goes on until it is told otherwise.
async fn died(task: &mut JoinHandle<()>, does: &str) -> anyhow::Error {
    ends(does, task.await.map_or_else(|error| panics::ended(&error), |()| "it came to its end"))
}

/// Comes back where Kafka's part has died; never where there is none.
async fn failed(kafka: Option<&mut kafka::Running>) -> anyhow::Error {
    match kafka {
        Some(kafka) => kafka.failed().await,
        None => std::future::pending().await,
    }
}

/// Looks at all accounts where the rules are others than those served last. Takes its time; what
/// becomes due meanwhile is decided by the new rules all the same.
async fn look_again(house: Arc<House>) {
    let engine = &house.engine;
    loop {
        let looked = engine.look_again(&house.fingerprint, LOOKS_A_SECOND);
        // One does it; others see to it that somebody has.
        let looked = match engine.leading("look_again", looked).await {
            Ok(Some(looked)) => looked,
            Ok(None) => {
                tokio::time::sleep(Duration::from_secs(5)).await;
                continue;
            }
            Err(fault) => Err(fault),
        };
        match looked {
            Ok(0) => return,
            Ok(accounts) => {
                tracing::info!(accounts, "the rules had changed: all accounts were looked at");
                return;
            }
            Err(fault) => {
                tracing::error!(%fault, "accounts cannot be looked at; trying again");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    }
}

fn write_address(file: &Path, url: &str) -> Result<()> {
    let address = Address { url: url.to_owned() };
    std::fs::write(file, serde_json::to_string(&address)?)
        .with_context(|| file.display().to_string())
}

/// Leaves the address of another instance that shares the folder.
fn remove_address(file: &Path, url: &str) -> Result<()> {
    let kept = std::fs::read_to_string(file).ok();
    let kept: Option<Address> = kept.and_then(|text| serde_json::from_str(&text).ok());
    match kept {
        Some(address) if address.url == url => {
            std::fs::remove_file(file).with_context(|| file.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Says so, once, when another instance serves other rules.
async fn tell_outdated(mut outdated: tokio::sync::watch::Receiver<bool>) {
    while outdated.wait_for(|outdated| *outdated).await.is_ok() {
        tracing::error!(
            "another instance serves other rules (policies, creditors, base rates, gateways or \
             release) since it was started: this one records events and shows pages, and decides \
             and sends nothing. Bring its files up to date and start it anew"
        );
        if outdated.wait_for(|outdated| !*outdated).await.is_err() {
            return;
        }
    }
}

async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => {
                tokio::select! {
                    _ = interrupted => {}
                    _ = terminated.recv() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be heard");
                let _ = interrupted.await;
            }
        }
    }
    #[cfg(not(unix))]
    let _ = interrupted.await;
}

/// Sends fresh links through the dispatcher.
fn renewal(dispatcher: &Arc<Dispatcher>) -> kulanz_pages::Renew {
    let dispatcher = Arc::clone(dispatcher);
    Arc::new(move |expired| {
        let dispatcher = Arc::clone(&dispatcher);
        Box::pin(async move { dispatcher.renew(&expired).await.map_err(Into::into) })
    })
}

/// A creditor as debtors' pages show it.
fn card(file: &CreditorFile) -> CreditorCard {
    CreditorCard {
        name: file.trading_name.clone(),
        legal_name: file.legal_name.clone(),
        address: vec![
            file.address.street.clone(),
            format!("{} {}", file.address.postcode, file.address.city),
            file.address.country.clone(),
        ],
        iban: file.iban.clone(),
        bic: file.bic.clone(),
        support_email: file.support.email.clone(),
        support_phone: file.support.phone.clone(),
        support_hours: file.support.hours.clone(),
        colour: file.colour.clone(),
        logo_text: file.logo_text.clone(),
        language: match file.address.country.as_str() {
            "DE" | "AT" | "CH" => "de".to_owned(),
            _ => "en".to_owned(),
        },
        imprint: file.imprint.clone(),
        privacy_url: file.privacy_url.clone(),
        debt_counselling: file
            .debt_counselling
            .iter()
            .map(|place| Counselling {
                name: place.name.clone(),
                url: place.url.clone(),
                phone: place.phone.clone(),
            })
            .collect(),
        agencies: file
            .agencies
            .iter()
            .map(|agency| Agency {
                id: agency.id.clone(),
                name: agency.name.clone(),
                contact: Vec::new(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_dies_ends_the_server_with_a_sentence() {
        let mut task = tokio::spawn(async { panic!("a decision that goes wrong") });
        let told = died(&mut task, "takes wake-ups").await.to_string();
        assert!(told.contains("that takes wake-ups has died, so the server ends too"), "{told}");
        // What a panic says may show what it was about.
        assert!(!told.contains("a decision that goes wrong"), "{told}");
        assert!(task.is_finished());
    }
}
