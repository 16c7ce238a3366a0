//! Events out: the log in its order onto `kulanz.accounts`, orders to agencies onto
//! `kulanz.placement-orders`, and what could not be taken onto `kulanz.dead-letters`.
//!
//! Idempotent and without a limit of time: a record is repeated until the cluster has it, so that
//! none of the same account overtakes it. How far the log was written lies with the data and moves
//! only once the cluster has all of a batch: what it had before a crash comes twice, with the same
//! id.

use std::{convert::Infallible, fmt::Write as _, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use jiff::tz::TimeZone;
use kulanz_domain::ids::CreditorId;
use kulanz_engine::panics;
use kulanz_store::{DeadLetter, Store};
use rdkafka::{
    ClientConfig, Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord, Producer, future_producer::DeliveryFuture},
};
use tokio::sync::watch;

use super::{
    bulk::Bulk,
    connection::{self, Ears},
    outbound::{Orders, Record},
    running::Told,
    settings::KafkaSettings,
    topics::{self, ACCOUNTS, DEAD_LETTERS, LARGEST_OUT},
};
use crate::{house::House, outbound::EventText};

/// Events read from the log at once.
const BATCH: u32 = 4000;
/// From one batch to the next where the log has no full one: events go out as they come together,
/// each a little later, and cost the cluster and the database less.
const PACE: Duration = Duration::from_millis(100);
/// How long a wait for new events takes where nobody tells of any.
const LOOK: Duration = Duration::from_secs(1);
/// How long a dead letter is tried; it lies in the store anyway.
const DEAD_LETTER_PATIENCE: Duration = Duration::from_secs(30);
/// The largest dead letter that is written with its value.
const LARGEST_DEAD_LETTER: usize = 900 * 1024;
/// How long a look at a topic may take.
const LOOK_AT_TOPIC: Duration = Duration::from_secs(5);
/// How often an instance that does not write looks whether it may.
const TURN: Duration = Duration::from_secs(5);

/// Where in the log the next batch begins, among what is kept with the data.
pub const POSITION: &str = "kafka/accounts/position";
/// The lease of the instance that writes: two would mix up the order of an account's events.
const WRITER: &str = "kafka/accounts";

/// A producer, and what it heard.
pub struct Outlet {
    producer: FutureProducer<Ears>,
    ears: Ears,
    settings: KafkaSettings,
}

impl Outlet {
    /// Connects in the background. Records are repeated until the cluster has them.
    pub fn new(settings: &KafkaSettings) -> Result<Self> {
        Self::with_patience(settings, Duration::ZERO)
    }

    /// The same, but that a record is given up after so long; zero: never.
    pub fn with_patience(settings: &KafkaSettings, patience: Duration) -> Result<Self> {
        let client = configured(settings, patience)?;
        let ears = Ears::new(settings);
        let producer = client.create_with_context(ears.clone()).context("kafka in kulanz.yaml")?;
        Ok(Self { producer, ears, settings: settings.clone() })
    }

    /// Queues a record; the future says when the cluster has it. Waits while the queue is full.
    async fn queue(
        &self,
        topic: &str,
        key: Option<&str>,
        value: &[u8],
        headers: OwnedHeaders,
    ) -> Result<DeliveryFuture> {
        let topic = topics::full(topic, &self.settings);
        let mut record = FutureRecord::to(&topic).payload(value).headers(headers);
        if let Some(key) = key {
            record = record.key(key);
        }
        loop {
            record = match self.producer.send_result(record) {
                Ok(delivery) => return Ok(delivery),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    record
                }
                Err((error, _)) => return Err(self.explain(&error)),
            };
        }
    }

    /// Fails where no broker tells of the topic within some seconds.
    pub async fn is_there(&self, topic: &str) -> Result<()> {
        let topic = topics::full(topic, &self.settings);
        let (producer, ears) = (self.producer.clone(), self.ears.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let seen = producer.client().fetch_metadata(Some(&topic), LOOK_AT_TOPIC);
            let error = seen.as_ref().ok().and_then(|seen| seen.topics().first()?.error());
            match (&seen, error) {
                (Ok(_), None) => Ok(()),
                (Ok(_), Some(code)) => bail!("{topic}: {:?}", RDKafkaErrorCode::from(code)),
                (Err(error), _) => Err(ears.explain(error)),
            }
        });
        looked.await?
    }

    /// Writes one record and waits until the cluster has it.
    pub async fn write(&self, record: &Record) -> Result<(), KafkaError> {
        let topic = topics::full(record.topic, &self.settings);
        let whole = FutureRecord::to(&topic)
            .key(&record.key)
            .payload(&record.value)
            .headers(content_type());
        let queued = self.producer.send_result(whole).map_err(|(error, _)| error)?;
        match queued.await {
            Ok(delivered) => delivered.map(drop).map_err(|(error, _)| error),
            Err(_) => Err(KafkaError::Canceled),
        }
    }

    /// Waits until the cluster has it.
    async fn delivered(&self, delivery: DeliveryFuture) -> Result<()> {
        let delivered = delivery.await.map_err(|_| anyhow!("the producer has ended"))?;
        delivered.map(drop).map_err(|(error, _)| self.explain(&error))
    }

    /// What an error means, and what to do.
    pub fn explain(&self, error: &KafkaError) -> anyhow::Error {
        explain(&self.ears, error)
    }

    /// Writes dead letters. They lie in the store already: where the cluster does not take one,
    /// that is told and no more.
    pub async fn dead_letters(&self, letters: &[(&OwnedMessage, DeadLetter)]) {
        let sent = async {
            let mut queued = Vec::with_capacity(letters.len());
            for (record, letter) in letters {
                queued.push(self.queue_letter(letter, record).await?);
            }
            for delivery in queued {
                self.delivered(delivery).await?;
            }
            Ok(())
        };
        let result = tokio::time::timeout(DEAD_LETTER_PATIENCE, sent).await;
        if let Err(error) = result.unwrap_or_else(|_| Err(anyhow!("no answer in time"))) {
            let numbers: Vec<u64> = letters.iter().map(|(_, letter)| letter.number).collect();
            tracing::error!(
                error = format!("{error:#}"),
                ?numbers,
                "dead letters may be missing in Kafka; they are in the store"
            );
        }
    }

    async fn queue_letter(
        &self,
        letter: &DeadLetter,
        record: &OwnedMessage,
    ) -> Result<DeliveryFuture> {
        let left_out = letter.sealed.len() > LARGEST_DEAD_LETTER;
        let value: &[u8] = if left_out { &[] } else { &letter.sealed };
        let sealed = if letter.account.is_some() { "account" } else { "service" };
        let mut pairs = vec![
            ("kulanz_reason", letter.reason.clone()),
            ("kulanz_detail", letter.detail.clone()),
            ("kulanz_topic", record.topic().to_owned()),
            ("kulanz_partition", record.partition().to_string()),
            ("kulanz_offset", record.offset().to_string()),
            ("kulanz_dead_letter", letter.number.to_string()),
            ("kulanz_received_at", letter.received_at.to_string()),
            ("kulanz_sealed", sealed.to_owned()),
        ];
        if left_out {
            pairs.push(("kulanz_value", "left out: too large".to_owned()));
        }
        let mut headers = OwnedHeaders::new();
        for (key, value) in &pairs {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let key = letter.account.as_ref().map(ToString::to_string);
        self.queue(DEAD_LETTERS, key.as_deref(), value, headers).await
    }
}

/// What all producers have in common: a record is repeated until the cluster has it, or for so long;
/// zero: for ever.
pub fn configured(settings: &KafkaSettings, patience: Duration) -> Result<ClientConfig> {
    let mut client = connection::client(settings)?;
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // Kafka's own default partitioner, so that ours and everybody's keys lie together.
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", patience.as_millis().to_string())
        .set("linger.ms", "5")
        .set("compression.type", "lz4")
        .set("message.max.bytes", LARGEST_OUT.to_string());
    Ok(client)
}

/// What an error of a producer means, and what to do.
pub fn explain(ears: &Ears, error: &KafkaError) -> anyhow::Error {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => anyhow!(
            "an event is larger than the topic takes: set max.message.bytes of the outbound topics to \
             {LARGEST_OUT} (`kulanz topics check` says how)"
        ),
        _ => ears.explain(error),
    }
}

/// Writes the log to Kafka, where this instance is the one that does, until `told` to stop. Faults
/// are waited out.
pub async fn run(house: Arc<House>, settings: KafkaSettings, mut told: watch::Receiver<Told>) {
    let shortest = Duration::from_secs(1);
    let mut pause = shortest;
    loop {
        let wait = tokio::select! {
            led = house.engine.leading(WRITER, written(&house, &settings)) => {
                match led.map_err(anyhow::Error::from).and_then(Option::transpose) {
                    Ok(None) => {
                        pause = shortest;
                        TURN
                    }
                    Ok(Some(never)) => match never {},
                    Err(error) => {
                        tracing::error!(
                            error = format!("{error:#}"),
                            "account events cannot be written to Kafka; they wait and are tried \
                             again"
                        );
                        let longer = (pause * 2).min(Duration::from_secs(30));
                        std::mem::replace(&mut pause, longer)
                    }
                }
            }
            _ = told.wait_for(|told| *told == Told::Stop) => break,
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = told.wait_for(|told| *told == Told::Stop) => break,
        }
    }
    // Another one need not wait until it runs out; where it is another's, nothing happens.
    let (store, me) = (house.engine.store(), house.engine.instance().to_owned());
    if let Err(error) = store.lease(WRITER.to_owned(), me, 0).await {
        tracing::warn!(%error, "the right to write to Kafka lapses by itself");
    }
}

/// How far the log was written.
pub async fn position(store: &dyn Store) -> Result<u64> {
    parsed(store.meta(POSITION.to_owned()).await?.as_deref())
}

fn parsed(text: Option<&str>) -> Result<u64> {
    text.map_or(Ok(0), |text| text.parse().with_context(|| format!("{POSITION}: {text}")))
}

/// An event that makes the program panic waits like one that the cluster does not take: none may
/// overtake it.
async fn written(house: &House, settings: &KafkaSettings) -> Result<Infallible> {
    panics::caught_in("kafka", write(house, settings)).await?
}

/// Goes on until something fails.
async fn write(house: &House, settings: &KafkaSettings) -> Result<Infallible> {
    // A new one after every fault: what it may still hold in its queue must not overtake.
    let bulk = Bulk::new(settings)?;
    let accounts = topics::full(ACCOUNTS, settings);
    let (mut key, mut text) = (String::new(), EventText::default());
    let engine = &house.engine;
    let store = &**engine.store();
    let mut agencies = Orders::begin(store).await?;
    loop {
        let next = tokio::time::Instant::now() + PACE;
        let before = store.meta(POSITION.to_owned()).await?;
        let from = parsed(before.as_deref())?;
        let events = store.events_after(from, BATCH).await?;
        let Some(last) = events.last().map(|event| event.position) else {
            engine.changed(LOOK).await;
            continue;
        };
        let zone_of = |creditor: &CreditorId| {
            let file = house.loaded.creditors.get(creditor);
            file.map_or(TimeZone::UTC, |file| file.creditor.zone.clone())
        };
        let orders = agencies.of(store, &events, zone_of).await?;
        for event in &events {
            key.clear();
            write!(key, "{}", event.account)?;
            bulk.put(&accounts, &key, text.of(event)?).await?;
        }
        for order in &orders {
            bulk.put(&topics::full(order.topic, settings), &order.key, &order.value).await?;
        }
        bulk.delivered().await?;
        // Whoever was stopped for longer than its lease must not bring back where another one is.
        if !store.swap_meta(POSITION.to_owned(), before, Some(last.to_string())).await? {
            bail!("another instance writes to Kafka as well");
        }
        if events.len() < BATCH as usize {
            tokio::time::sleep_until(next).await;
        }
    }
}

/// The header of structured events.
pub fn content_type() -> OwnedHeaders {
    let value = Some("application/cloudevents+json; charset=UTF-8");
    OwnedHeaders::new().insert(Header { key: "content-type", value })
}
