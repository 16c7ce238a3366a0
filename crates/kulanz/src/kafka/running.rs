//! Kafka beside a running server: started with it, and brought to an orderly end before it ends.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use kulanz_delivery::senders::Sender;
use kulanz_engine::{Fault, panics};
use kulanz_store::{DeadLetter, Partitions, StoreError};
use kulanz_wire::DecodeOptions;
use rdkafka::{
    consumer::{BaseConsumer, Consumer},
    message::OwnedMessage,
};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

use super::{
    administration,
    connection::{self, Ears, NoAnswer},
    consumer::{self, Group},
    notices::Notices,
    producer::{self, Outlet},
    records,
    settings::KafkaSettings,
    topics,
};
use crate::{
    house::{House, harmless},
    intake::{self, Arrived, Turn},
};

/// Tries of a whole batch before its records are taken one by one.
const TOGETHER: u32 = 3;
/// Tries of a record alone before it becomes a dead letter, where the fault is not the store's.
const ALONE: u32 = 3;
/// Dead letters that are looked through.
const MOST: u32 = 100_000;
/// How long an orderly end may take.
const END: Duration = Duration::from_secs(30);

/// What the parts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Go on.
    Run,
    /// End.
    Stop,
}

/// Kafka at work.
pub struct Running {
    stop: Arc<AtomicBool>,
    tell: watch::Sender<Told>,
    parts: JoinSet<Result<()>>,
}

impl Running {
    /// Starts where the settings name a cluster. Fails where waiting would not help: a wrong
    /// password, missing topics, another number of partitions. Where no broker answers, the
    /// server goes on without and this tries again.
    pub async fn start(house: &Arc<House>) -> Result<Option<Self>> {
        let Some(settings) = house.settings.kafka.clone() else { return Ok(None) };
        let ready = administration::ready(&settings).await;
        let waits = match ready {
            Ok(()) => false,
            Err(error) if error.is::<NoAnswer>() => {
                tracing::error!("{error:#}; the server goes on without Kafka and tries again");
                true
            }
            Err(error) => return Err(error),
        };
        let intake = Arc::new(Intake {
            house: Arc::clone(house),
            outlet: Outlet::new(&settings)?,
            settings: settings.clone(),
            letters: Mutex::new(None),
        });
        let group = Group::new(Ears::new(&settings), intake);
        let client = consumer::configure(connection::client(&settings)?, &settings.group);
        let consumer: BaseConsumer<Group> =
            client.create_with_context(group).context("kafka in kulanz.yaml")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = watch::channel(Told::Run);
        let mut parts = JoinSet::new();
        let writing = producer::run(Arc::clone(house), settings.clone(), told.clone());
        parts.spawn(async {
            writing.await;
            Ok(())
        });
        parts.spawn(read(consumer, settings, waits, Arc::clone(&stop), told));
        Ok(Some(Self { stop, tell, parts }))
    }

    /// Comes back once a part has ended that nobody told to, and says what that means. It does not
    /// come back of itself: librdkafka's state and ours are not known any more, and a new process
    /// begins at the committed offsets.
    pub async fn failed(&mut self) -> anyhow::Error {
        let ended = match self.parts.join_next().await {
            Some(Ok(Ok(()))) | None => anyhow!("it came to its end"),
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => anyhow!("it died: {}", panics::ended(&error)),
        };
        ended.context(
            "a part of the server that works on Kafka has ended, so the server ends too, to be \
             started anew; what was not recorded or written by then comes again",
        )
    }

    /// Ends: what was polled is recorded and committed, what was written is waited for.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.tell.send_replace(Told::Stop);
        let mut parts = self.parts;
        let ended = async {
            while let Some(ended) = parts.join_next().await {
                if let Err(error) = ended.map_err(anyhow::Error::from).and_then(|ended| ended) {
                    tracing::error!("Kafka's part of the server did not end well: {error:#}");
                }
            }
        };
        if tokio::time::timeout(END, ended).await.is_err() {
            tracing::warn!("Kafka's part of the server did not end in time");
        }
    }
}

/// Takes messages to shops that send them themselves; there has to be a cluster.
pub fn notices(settings: Option<&KafkaSettings>) -> Result<Arc<dyn Sender>> {
    let settings = settings.context(
        "no Kafka is named: write `kafka: { brokers: \"HOST:PORT\" }` into kulanz.yaml, or set \
         KULANZ_KAFKA__BROKERS; or take `via` out",
    )?;
    Ok(Arc::new(Notices::new(settings)?))
}

/// Waits until the cluster is ready, then polls in a thread of its own.
async fn read(
    consumer: BaseConsumer<Group>,
    settings: KafkaSettings,
    mut waits: bool,
    stop: Arc<AtomicBool>,
    mut told: watch::Receiver<Told>,
) -> Result<()> {
    while waits {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            _ = told.wait_for(|told| *told == Told::Stop) => return Ok(()),
        }
        match administration::ready(&settings).await {
            Ok(()) => waits = false,
            Err(error) => tracing::error!("{error:#}; trying again"),
        }
    }
    let names: Vec<String> = topics::inbound().map(|topic| topic.full(&settings)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    consumer.subscribe(&names).context("inbound topics cannot be subscribed to")?;
    let polling = tokio::task::spawn_blocking(move || Group::run(&consumer, &stop));
    polling.await.map_err(polling_died)
}

fn polling_died(error: JoinError) -> anyhow::Error {
    anyhow!("the thread that polls has died: {}", panics::ended(&error))
}

/// Takes records into accounts.
pub struct Intake {
    house: Arc<House>,
    outlet: Outlet,
    settings: KafkaSettings,
    /// Numbers of the dead letters that Kafka's records became, by origin, once looked at.
    letters: Mutex<Option<HashMap<String, u64>>>,
}

impl Intake {
    /// Takes a batch; durable on return. An error is a fault of ours: all of it has to be taken
    /// again. After some tries records go one by one, so that one that always fails holds up none.
    /// It is handed to the engine when its `turn` has come.
    pub async fn take(&self, batch: &[OwnedMessage], attempts: u32, turn: Turn) -> Result<()> {
        if attempts < TOGETHER {
            return self.together(batch, turn).await;
        }
        for record in batch {
            self.alone(record).await?;
        }
        Ok(())
    }

    async fn together(&self, batch: &[OwnedMessage], turn: Turn) -> Result<()> {
        let arrived = self.arrived(batch);
        let (_, letters) = intake::record(&self.house.engine, &arrived, turn).await?;
        let letters: Vec<_> =
            letters.into_iter().map(|(at, letter)| (&batch[at], letter)).collect();
        self.keep(letters).await
    }

    fn arrived<'a>(&self, batch: &'a [OwnedMessage]) -> Vec<Arrived<'a>> {
        let harmless = harmless(&self.house.loaded);
        let options = DecodeOptions { harmless_attributes: &harmless };
        batch.iter().map(|one| records::arrived(one, &self.settings, &options)).collect()
    }

    async fn alone(&self, record: &OwnedMessage) -> Result<()> {
        let mut failed = None;
        for attempt in 1..=ALONE {
            match caught(self.together(std::slice::from_ref(record), Turn::default())).await {
                Ok(()) => return Ok(()),
                Err(error) if is_outage(&error) => return Err(error),
                Err(error) => failed = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(200) * attempt).await;
        }
        let Some(error) = failed else { return Ok(()) };
        // Decoding it may be what goes wrong.
        let one = records::undecoded(record);
        tracing::error!(origin = one.origin, error = format!("{error:#}"), "a record always fails");
        let detail = format!("could not be recorded, which is a fault of ours: {error:#}");
        let letter = intake::letter(&self.house.engine, &one, "fault", detail, None).await?;
        self.keep(vec![(record, letter)]).await
    }

    /// Keeps dead letters in the store, once each, and tells Kafka of them.
    async fn keep(&self, mut letters: Vec<(&OwnedMessage, DeadLetter)>) -> Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let store = self.house.engine.store();
        let mut known = self.known_letters().await?;
        let new: Vec<DeadLetter> = letters
            .iter()
            .filter(|(_, letter)| !known.contains_key(&letter.origin))
            .map(|(_, letter)| letter.clone())
            .collect();
        if !new.is_empty() {
            let origins: Vec<String> = new.iter().map(|letter| letter.origin.clone()).collect();
            let numbers = store.put_dead_letters(new).await?;
            known.extend(origins.into_iter().zip(numbers));
            *self.lock() = Some(known.clone());
        }
        for (_, letter) in &mut letters {
            letter.number = known.get(&letter.origin).copied().unwrap_or_default();
        }
        self.outlet.dead_letters(&letters).await;
        Ok(())
    }

    async fn known_letters(&self) -> Result<HashMap<String, u64>> {
        if let Some(known) = &*self.lock() {
            return Ok(known.clone());
        }
        let letters = self.house.engine.store().dead_letters(false, MOST).await?;
        let ours = letters.into_iter().filter(|letter| letter.origin.starts_with("kafka:"));
        Ok(ours.map(|letter| (letter.origin, letter.number)).collect())
    }

    /// Takes the wake-ups of the accounts whose invoices come to this instance, so that mostly one
    /// decides for an account. `has` says which partitions of a topic those are. What nobody has at
    /// a moment is taken a little later, by any instance.
    pub fn takes(&self, has: impl Fn(&str, i32) -> bool) {
        let topic = topics::full(topics::INVOICES, &self.settings);
        let own = share(self.settings.partitions, |partition| has(&topic, partition));
        self.house.engine.take_over(own);
    }

    /// Looks at the store's dead letters anew next time.
    pub fn forget_letters(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<HashMap<String, u64>>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A panic as an error, for one record that makes the program panic must not hold up all others.
/// What it says is on the standard error: it may show what the record says of a person.
async fn caught(work: impl Future<Output = Result<()>>) -> Result<()> {
    panics::caught_in("kafka", work).await?
}

/// Our partitions that lie on those of a topic with so many. A cluster may have fewer than we, a
/// divisor: an account's partition there is the remainder of ours.
fn share(of: u16, has: impl Fn(i32) -> bool) -> Partitions {
    Partitions::ALL.numbers().filter(|number| has(i32::from(number % of))).collect()
}

/// Whether a fault is the store's and not the record's: it is waited out, however long.
fn is_outage(error: &anyhow::Error) -> bool {
    let fault = error.downcast_ref::<Fault>();
    let stores = matches!(
        fault,
        Some(Fault::Store(_) | Fault::Full | Fault::Conflict | Fault::Lost | Fault::Stopped)
    );
    stores || error.is::<StoreError>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use kulanz_engine::{murmur2, partition};

    use super::*;

    #[test]
    fn an_accounts_wake_ups_are_taken_where_its_invoices_come() {
        for of in [1_u16, 4, 32, 64] {
            let shares: Vec<Partitions> =
                (0..i32::from(of)).map(|own| share(of, |partition| partition == own)).collect();
            for number in 0..500 {
                let account = format!("atelier/K-{number}");
                // As Kafka's own partitioner does.
                let there = (murmur2(account.as_bytes()) & 0x7fff_ffff) % u32::from(of);
                let ours = partition(&account.parse().unwrap());
                let takers = (0..u32::from(of)).filter(|at| shares[*at as usize].contains(ours));
                assert_eq!(takers.collect::<Vec<_>>(), [there], "{account} of {of}");
            }
        }
        assert_eq!(share(64, |_| false), Partitions::NONE);
        assert_eq!(share(4, |_| true), Partitions::ALL);
    }

    #[tokio::test]
    async fn a_part_that_dies_is_told_and_the_others_still_end_in_order() {
        let (tell, mut told) = watch::channel(Told::Run);
        let mut parts = JoinSet::new();
        parts.spawn(async move {
            let end = told.wait_for(|told| *told == Told::Stop).await.map(drop);
            end.context("told by nobody")
        });
        parts.spawn(async {
            let polling = tokio::task::spawn_blocking(|| panic!("a poll that goes wrong"));
            polling.await.map_err(polling_died)
        });
        let mut kafka = Running { stop: Arc::default(), tell, parts };
        let told = format!("{:#}", kafka.failed().await);
        for words in ["Kafka has ended", "the thread that polls has died: it panicked"] {
            assert!(told.contains(words), "{told}");
        }
        assert!(!told.contains("a poll that goes wrong"), "it may show a record: {told}");
        let stopped = Arc::clone(&kafka.stop);
        kafka.stop().await;
        assert!(stopped.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn work_on_a_record_that_panics_fails_and_is_no_outage() {
        let halfway = async {
            tokio::task::yield_now().await;
            panic!("of Kim")
        };
        let error = caught(halfway).await.unwrap_err();
        assert!(!is_outage(&error), "it is not waited out");
        assert!(error.to_string().contains("panicked") && !error.to_string().contains("Kim"));
        let outage = caught(async { Err(Fault::Stopped.into()) }).await.unwrap_err();
        assert!(is_outage(&outage), "whatever else goes wrong stays what it is");
        caught(async { Ok(()) }).await.unwrap();
    }

    #[tokio::test]
    async fn a_part_that_ends_and_was_not_told_to_is_told_like_one_that_died() {
        let (tell, _) = watch::channel(Told::Run);
        let mut parts = JoinSet::new();
        parts.spawn(async { Ok(()) });
        let mut kafka = Running { stop: Arc::default(), tell, parts };
        let told = format!("{:#}", kafka.failed().await);
        assert!(told.contains("so the server ends too"), "{told}");
        assert!(told.ends_with("it came to its end"), "{told}");
    }
}
