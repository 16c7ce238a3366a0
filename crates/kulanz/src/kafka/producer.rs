//! Events out: the log in its order onto `kulanz.accounts`, orders to agencies onto
//! `kulanz.placement-orders`, and what could not be taken onto `kulanz.dead-letters`.
//!
//! Idempotent and without a limit of time: a record is repeated until the cluster has it, so that
//! none of the same account overtakes it. How far the log was written lies with the data and moves
//! only once the cluster has all of a batch: what it had before a crash comes twice, with the same
//! id.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use kulanz_store::{DeadLetter, Store};
use rdkafka::{
    Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord, future_producer::DeliveryFuture},
};
use tokio::sync::watch;

use super::{
    connection::{self, Ears},
    outbound::{self, Record},
    running::Told,
    settings::KafkaSettings,
    topics::{self, DEAD_LETTERS, LARGEST_OUT},
};
use crate::house::House;

/// Events read from the log at once.
const BATCH: u32 = 1000;
/// How long a wait for new events takes where nobody tells of any.
const LOOK: Duration = Duration::from_secs(1);
/// How long a dead letter is tried; it lies in the store anyway.
const DEAD_LETTER_PATIENCE: Duration = Duration::from_secs(30);
/// The largest dead letter that is written with its value.
const LARGEST_DEAD_LETTER: usize = 900 * 1024;
/// How long an instance that is not heard of keeps the right to write.
const LEASE: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// Where in the log the next batch begins, among what is kept with the data.
pub const POSITION: &str = "kafka/accounts/position";
/// Which instance writes, and until when.
pub const WRITER: &str = "kafka/accounts/writer";

/// A producer, and what it heard.
pub struct Outlet {
    producer: FutureProducer<Ears>,
    ears: Ears,
    settings: KafkaSettings,
}

impl Outlet {
    /// Connects in the background.
    pub fn new(settings: &KafkaSettings) -> Result<Self> {
        let mut client = connection::client(settings)?;
        client
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // Kafka's own default partitioner, so that ours and everybody's keys lie together.
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", "0")
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .set("message.max.bytes", LARGEST_OUT.to_string());
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

    /// Waits until the cluster has it.
    async fn delivered(&self, delivery: DeliveryFuture) -> Result<()> {
        let delivered = delivery.await.map_err(|_| anyhow!("the producer has ended"))?;
        delivered.map(drop).map_err(|(error, _)| self.explain(&error))
    }

    fn explain(&self, error: &KafkaError) -> anyhow::Error {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => anyhow!(
                "an event is larger than the topic takes: set max.message.bytes of the outbound \
                 topics to {LARGEST_OUT} (`kulanz topics check` says how)"
            ),
            _ => self.ears.explain(error),
        }
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

/// Writes the log to Kafka until `told` to stop. Faults are waited out.
pub async fn run(house: Arc<House>, settings: KafkaSettings, mut told: watch::Receiver<Told>) {
    let me = me();
    let mut pause = Duration::from_secs(1);
    loop {
        let written = tokio::select! {
            written = write(&house, &settings, &me) => written,
            _ = told.wait_for(|told| *told == Told::Stop) => break,
        };
        if let Err(error) = written {
            tracing::error!(
                error = format!("{error:#}"),
                "account events cannot be written to Kafka; they wait and are tried again"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(30)),
            _ = told.wait_for(|told| *told == Told::Stop) => break,
        }
    }
    let store = house.engine.store();
    if let Ok(Some(text)) = store.meta(WRITER.to_owned()).await
        && text.starts_with(&format!("{me} "))
        && let Err(error) = store.put_meta(WRITER.to_owned(), None).await
    {
        tracing::warn!(%error, "the right to write to Kafka lapses by itself");
    }
}

/// This process, told from others.
fn me() -> String {
    let started = jiff::Timestamp::now().as_nanosecond();
    format!("{}-{started:x}", std::process::id())
}

/// Whether this instance is the one that writes, from now on for [`LEASE`]. Two instances would
/// mix up the order of an account's events. Whoever holds it, holds it on; one that is not heard
/// of any more loses it.
///
/// The store has no compare-and-set for such rows, and one process serves a database at a time
/// ([`Store`] is opened alone): this is for an orderly change of hands.
async fn may_write(store: &dyn Store, me: &str, now: jiff::Timestamp) -> Result<bool> {
    let row = store.meta(WRITER.to_owned()).await?;
    if let Some((holder, until)) = row.as_deref().and_then(|row| row.split_once(' ')) {
        let lapsed = until.parse::<jiff::Timestamp>().is_ok_and(|until| until < now);
        if holder != me && !lapsed {
            return Ok(false);
        }
    }
    let until = now.saturating_add(LEASE).unwrap_or(now);
    store.put_meta(WRITER.to_owned(), Some(format!("{me} {until}"))).await?;
    let row = store.meta(WRITER.to_owned()).await?;
    Ok(row.is_some_and(|row| row.starts_with(&format!("{me} "))))
}

/// How far the log was written.
pub async fn position(store: &dyn Store) -> Result<u64> {
    let text = store.meta(POSITION.to_owned()).await?;
    text.map_or(Ok(0), |text| text.parse().with_context(|| format!("{POSITION}: {text}")))
}

async fn write(house: &House, settings: &KafkaSettings, me: &str) -> Result<()> {
    // A new one after every fault: what it may still hold in its queue must not overtake.
    let outlet = Outlet::new(settings)?;
    let engine = &house.engine;
    let store = &**engine.store();
    let mut held_until = jiff::Timestamp::MIN;
    loop {
        let now = jiff::Timestamp::now();
        if held_until <= now {
            if !may_write(store, me, now).await? {
                tokio::time::sleep(Duration::from_secs(5)).await;
                continue;
            }
            held_until = now.saturating_add(LEASE / 3)?;
        }
        let from = position(store).await?;
        let events = store.events_after(from, BATCH).await?;
        let Some(last) = events.last().map(|event| event.position) else {
            engine.changed(LOOK).await;
            continue;
        };
        let orders = outbound::orders(store, &events).await?;
        let mut deliveries = Vec::with_capacity(events.len());
        for event in &events {
            let record = outbound::account_event(event)?;
            deliveries.push(outlet.put(&record).await?);
        }
        for order in &orders {
            deliveries.push(outlet.put(order).await?);
        }
        for delivery in deliveries {
            outlet.delivered(delivery).await?;
        }
        store.put_meta(POSITION.to_owned(), Some(last.to_string())).await?;
    }
}

impl Outlet {
    async fn put(&self, record: &Record) -> Result<DeliveryFuture> {
        let content_type = "application/cloudevents+json; charset=UTF-8";
        let headers =
            OwnedHeaders::new().insert(Header { key: "content-type", value: Some(content_type) });
        self.queue(record.topic, Some(&record.key), record.value.as_bytes(), headers).await
    }
}
