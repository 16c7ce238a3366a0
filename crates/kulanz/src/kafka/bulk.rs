//! Many records at once. None has a future of its own, and of those that the cluster has nobody is
//! told: a record more costs little more than its bytes.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, Producer, ThreadedProducer},
};

use super::{connection::Ears, producer, settings::KafkaSettings};

/// From one look at what is still under way to the next.
const LOOK: Duration = Duration::from_millis(2);
/// How long a full queue is left alone.
const FULL: Duration = Duration::from_millis(20);

/// A producer of records that are waited for together.
pub struct Bulk {
    producer: ThreadedProducer<Ears>,
    ears: Ears,
}

impl Bulk {
    /// Connects in the background. Records are repeated until the cluster has them, in their order.
    pub fn new(settings: &KafkaSettings) -> Result<Self> {
        let mut client = producer::configured(settings, Duration::ZERO)?;
        client.set("delivery.report.only.error", "true");
        let ears = Ears::new(settings);
        let producer = client.create_with_context(ears.clone()).context("kafka in kulanz.yaml")?;
        Ok(Self { producer, ears })
    }

    /// Queues a structured event on a topic, which is named with its prefix. Waits while the queue is
    /// full.
    pub async fn put(&self, topic: &str, key: &str, value: &str) -> Result<()> {
        let whole = BaseRecord::to(topic).key(key).payload(value);
        let mut record = whole.headers(producer::content_type());
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                    tokio::time::sleep(FULL).await;
                    record
                }
                Err((error, _)) => return Err(producer::explain(&self.ears, &error)),
            };
        }
    }

    /// Waits until the cluster has all that was put.
    ///
    /// # Errors
    /// Where it does not take one of the records, now or ever before.
    pub async fn delivered(&self) -> Result<()> {
        loop {
            // In this order: a record is under way until its error was heard.
            let under_way = self.producer.in_flight_count() > 0;
            if let Some(error) = self.ears.refused() {
                return Err(producer::explain(&self.ears, error));
            }
            if !under_way {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
