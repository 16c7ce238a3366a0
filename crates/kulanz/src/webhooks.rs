//! Events of accounts, sent to shops as Standard Webhooks.
//!
//! Each endpoint has its own place in the order of all events, kept with the data, and its own
//! task: one that fails holds nobody else up. Events leave in that order, one after the other, at
//! least once; the next one waits until the one before was taken. That keeps each account's order,
//! and costs speed: an endpoint takes as many events a second as it answers.
//!
//! Payloads are CloudEvents of [`crate::outbound`], without personal data.

mod command;
mod endpoint;
mod measures;
mod settings;
mod signature;
mod state;

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp};
use kulanz_engine::{panics, vault::random};
use kulanz_store::Store;

pub use self::{
    command::{list, outlook, retry, send_test},
    endpoint::Endpoint,
    measures::measure,
    settings::Webhook,
};
use self::{endpoint::Sent, state::State};
use crate::{house::House, outbound};

/// Events read at once.
const CHUNK: u32 = 256;
/// After this many deliveries at most the place is written down.
const WRITTEN_AFTER: u32 = 16;
/// How often is looked for new events, and for a person's wish to try again.
const LOOK: Duration = Duration::from_secs(1);
/// How long a fault of the store is waited out.
const FAULT: Duration = Duration::from_secs(5);
/// The first wait after a failure; doubles with each further one.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(2);
/// The longest wait.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// Opens all endpoints of the settings; what is wrong with one ends the start.
pub fn endpoints(house: &House) -> Result<Vec<Endpoint>> {
    let open = |webhook: &Webhook| {
        let known = &house.loaded.creditors;
        if let Some(creditor) = webhook.creditor.as_ref().filter(|one| !known.contains_key(*one)) {
            bail!(
                "webhook `{}` in kulanz.yaml: there is no file policies/creditors/{creditor}.yaml",
                webhook.name
            );
        }
        Endpoint::new(webhook, &house.places)
    };
    house.settings.webhooks.iter().map(open).collect()
}

/// Sends to all endpoints until it is dropped.
pub async fn run(house: Arc<House>, endpoints: Vec<Endpoint>) {
    let mut tasks = tokio::task::JoinSet::new();
    for endpoint in endpoints {
        let house = Arc::clone(&house);
        tasks.spawn(async move { Sender { house, endpoint }.run().await });
    }
    while let Some(ended) = tasks.join_next().await {
        // Nobody would send to its endpoint any more: that is the server's end.
        if let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Sends to one endpoint.
struct Sender {
    house: Arc<House>,
    endpoint: Endpoint,
}

impl Sender {
    async fn run(self) {
        loop {
            if let Some(error) = self.turn(self.work()).await {
                let webhook = &self.endpoint.name;
                tracing::error!(webhook, error = format!("{error:#}"), "a webhook waits");
            }
            tokio::time::sleep(FAULT).await;
        }
    }

    /// Works until something fails; nothing where another instance does it. Of several one sends to an
    /// endpoint: two would mix up the order. A fault of the store forgets what was not written down:
    /// it is read again.
    async fn turn(&self, work: impl Future<Output = Result<Infallible>>) -> Option<anyhow::Error> {
        let what = format!("webhooks/{}", self.endpoint.name);
        let work = panics::caught_in("webhooks", work);
        Some(match self.house.engine.leading(&what, work).await {
            Ok(Some(Ok(Ok(never)))) => match never {},
            Ok(Some(Ok(Err(error)))) => error,
            Ok(Some(Err(fault))) => match self.panicked().await {
                Ok(()) => fault.into(),
                Err(error) => error,
            },
            Ok(None) => return None,
            Err(fault) => fault.into(),
        })
    }

    fn store(&self) -> &dyn Store {
        &**self.house.engine.store()
    }

    fn now(&self) -> Timestamp {
        self.house.engine.clock().now()
    }

    async fn work(&self) -> Result<Infallible> {
        let name = &self.endpoint.name;
        let mut state = match State::read(self.store(), name).await? {
            Some(state) => state,
            None => State::begin(self.store(), name, self.endpoint.from_start).await?,
        };
        loop {
            if State::take_wish(self.store(), name).await? {
                state.try_again();
                state.write(self.store(), name).await?;
            }
            if state.parked.is_some() || state.next_try.is_some_and(|next| self.now() < next) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            if !self.chunk(&mut state).await? {
                self.house.engine.changed(LOOK).await;
            }
        }
    }

    /// Sends what comes next; whether there was anything.
    async fn chunk(&self, state: &mut State) -> Result<bool> {
        let name = &self.endpoint.name;
        let events = self.store().events_after(state.position, CHUNK).await?;
        let any = !events.is_empty();
        let mut unwritten = 0;
        for event in events {
            if !self.endpoint.wants(&event) {
                state.position = event.position;
                continue;
            }
            let body = outbound::cloud_event(&event)?.to_string();
            let now = self.now();
            match self.endpoint.send(&id(event.position), now, body).await {
                Sent::Taken => {
                    state.taken(event.position, self.now());
                    unwritten += 1;
                    if unwritten == WRITTEN_AFTER {
                        state.write(self.store(), name).await?;
                        unwritten = 0;
                    }
                }
                Sent::Gone => {
                    state.park("it answers 410: it wants no more events", self.now());
                    tracing::error!(webhook = name, "an endpoint is gone: nothing is sent to it");
                    break;
                }
                Sent::Failed { why, after } => {
                    self.failed(state, why, after)?;
                    break;
                }
            }
        }
        if any {
            state.write(self.store(), name).await?;
        }
        Ok(any)
    }

    /// Something about the event that comes next makes the program panic. None may be left out: it
    /// is tried again like one that was not taken, and parked in the end.
    async fn panicked(&self) -> Result<()> {
        let (store, name) = (self.store(), &self.endpoint.name);
        let Some(mut state) = State::read(store, name).await? else { return Ok(()) };
        let next = state.position;
        self.failed(&mut state, format!("the program panicked after position {next}"), None)?;
        state.write(store, name).await
    }

    fn failed(&self, state: &mut State, why: String, after: Option<Duration>) -> Result<()> {
        let (name, now) = (&self.endpoint.name, self.now());
        let wait = wait(state.failures, u64::from_be_bytes(random::<8>()?), after);
        state.failed(&why, now, now.saturating_add(wait).unwrap_or(now));
        let since = state.failing_since.unwrap_or(now);
        if now.duration_since(since) >= self.endpoint.give_up_after {
            state.park(&format!("it failed since {since}, the last time: {why}"), now);
            tracing::error!(webhook = name, why, "an endpoint is parked");
        } else {
            tracing::warn!(webhook = name, why, failures = state.failures, "a webhook failed");
        }
        Ok(())
    }
}

/// The `webhook-id`: the same for each attempt.
fn id(position: u64) -> String {
    format!("evt_{position}")
}

/// How long to wait after `failures` in a row and one more: half of a window that doubles, and
/// a random share of the other half. Never shorter than the endpoint asked for, up to a day.
fn wait(failures: u32, random: u64, asked: Option<Duration>) -> SignedDuration {
    let window = FIRST_WAIT.saturating_mul(1 << failures.min(20)).min(LONGEST_WAIT);
    let half = window.as_millis() / 2;
    let jitter = (i128::from(random) * (half + 1)) >> 64;
    let wait = SignedDuration::from_millis(i64::try_from(half + jitter).unwrap_or(i64::MAX));
    let day = SignedDuration::from_hours(24);
    let asked = asked.and_then(|asked| SignedDuration::try_from(asked).ok().or(Some(day)));
    wait.max(asked.unwrap_or_default().min(day))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::house::testing;

    #[tokio::test]
    async fn an_event_that_makes_the_program_panic_waits_like_one_that_was_not_taken() {
        let (folder, house) = testing::house().await;
        let secret_file = folder.path().join("secret");
        std::fs::write(&secret_file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let webhook = Webhook {
            name: "shop".to_owned(),
            url: "http://127.0.0.1:9/".to_owned(),
            creditor: None,
            events: Vec::new(),
            secret_file,
            begin: Default::default(),
            give_up_after_days: 5,
        };
        let endpoint = Endpoint::new(&webhook, &house.places).unwrap();
        let sender = Sender { house: Arc::new(house), endpoint };
        State::begin(sender.store(), "shop", true).await.unwrap();
        let work = async { panic!("Kim lives at kim@example.org") };
        let told = sender.turn(work).await.unwrap();
        assert!(matches!(told.downcast_ref(), Some(kulanz_engine::Fault::Panicked)), "{told}");
        let state = State::read(sender.store(), "shop").await.unwrap().unwrap();
        let why = state.why.as_deref();
        assert_eq!((state.failures, why), (1, Some("the program panicked after position 0")));
        assert!(state.next_try.unwrap() > sender.now(), "it is tried again, later");
        // Nobody else is kept from sending to it.
        assert!(sender.turn(async { bail!("the store is away") }).await.is_some());
    }

    #[test]
    fn waits_double_to_an_hour_and_at_least_half_of_them_is_kept() {
        let millis = |failures, random| wait(failures, random, None).as_millis();
        assert_eq!([0, 1, 2, 10].map(|n| millis(n, 0)), [1000, 2000, 4000, 1_024_000]);
        assert_eq!([0, 1, 2].map(|n| millis(n, u64::MAX)), [2000, 4000, 8000]);
        assert_eq!([11, 40, u32::MAX].map(|n| millis(n, u64::MAX)), [3_600_000; 3]);
    }

    #[test]
    fn an_endpoint_that_names_a_time_is_not_asked_earlier_and_not_after_a_day() {
        let asked = |seconds| wait(0, 0, Some(Duration::from_secs(seconds))).as_secs();
        assert_eq!([0, 1, 90, 86_400, u64::MAX].map(asked), [1, 1, 90, 86_400, 86_400]);
    }
}
