//! Kafka, in and out: the program against a broker, with a client of its own on the other side.

#[cfg(target_os = "linux")]
mod death;
mod inbound;
pub mod instances;
mod notices;
mod outbound;
mod topics;
mod traces;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{Header, Headers, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use serde_json::{Value, json};

use super::world::{Installation, eventually};

#[path = "../../../tools/kafka.rs"]
pub mod server;

pub const INBOUND: [&str; 5] = [
    "kulanz.debtors",
    "kulanz.invoices",
    "kulanz.payments",
    "kulanz.reminders",
    "kulanz.placements",
];
const OUTBOUND: [&str; 4] =
    ["kulanz.accounts", "kulanz.placement-orders", "kulanz.notices", "kulanz.dead-letters"];
pub const PARTITIONS: i32 = 4;
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A record as a consumer gets it.
#[derive(Debug, Clone)]
pub struct Record {
    key: Option<String>,
    partition: i32,
    value: Vec<u8>,
    headers: BTreeMap<String, String>,
}

impl Record {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.value).expect("JSON")
    }
}

/// Topics of one test: under a prefix that no other has.
pub struct Topics {
    pub address: String,
    prefix: String,
    producer: BaseProducer,
}

impl Topics {
    /// On the broker of all tests, made by the program itself, or by the mock.
    pub fn new(house: &Installation) -> Self {
        let shared = server::shared();
        let topics = Self::named(&shared.address());
        house.settings(&json!({ "kafka": topics.settings() }));
        topics.make(house, shared);
        topics
    }

    pub fn make(&self, house: &Installation, broker: &server::Broker) {
        match broker {
            server::Broker::Real(_) => drop(house.run(&["topics", "create"]).well()),
            server::Broker::Mock(mock) => {
                for name in INBOUND.iter().chain(&OUTBOUND) {
                    mock.make(&self.full(name), PARTITIONS);
                }
            }
        }
    }

    /// A prefix; nothing is made.
    pub fn named(address: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let producer = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", "4000000")
            .create()
            .expect("a producer");
        let prefix = format!("t{}-{number}.", std::process::id());
        Self { address: address.to_owned(), prefix, producer }
    }

    pub fn settings(&self) -> Value {
        json!({ "brokers": self.address, "prefix": self.prefix, "partitions": PARTITIONS,
                "group": format!("{}kulanz", self.prefix) })
    }

    pub fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Sends structured events under their accounts' names, and waits until the broker has them.
    pub fn send(&self, topic: &str, events: &[Value]) {
        for event in events {
            let key = event["subject"].as_str().expect("an account");
            self.put(topic, Some(key), Some(event.to_string().as_bytes()), &[]);
        }
        self.flush();
    }

    /// Sends each event on the topic that the contract has for it.
    pub fn send_all(&self, events: &[Value]) {
        self.queue(events);
        self.flush();
    }

    /// As [`send_all`](Self::send_all), without waiting for a broker that may be away.
    pub fn queue(&self, events: &[Value]) {
        for event in events {
            let key = event["subject"].as_str().expect("an account");
            self.put(topic_of(event), Some(key), Some(event.to_string().as_bytes()), &[]);
        }
        self.producer.poll(Duration::ZERO);
    }

    /// Sends an event in binary mode.
    fn send_binary(&self, topic: &str, event: &Value) {
        let names = ["specversion", "id", "source", "type", "subject", "time"];
        let mut headers: Vec<(String, String)> = names
            .iter()
            .map(|name| (format!("ce_{name}"), event[*name].as_str().expect("text").to_owned()))
            .collect();
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let key = event["subject"].as_str();
        self.put(topic, key, Some(event["data"].to_string().as_bytes()), &headers);
        self.flush();
    }

    /// Sends a record as it is.
    fn put(&self, topic: &str, key: Option<&str>, value: Option<&[u8]>, headers: &[(&str, &str)]) {
        let topic = self.full(topic);
        let mut own = OwnedHeaders::new();
        for (key, value) in headers {
            own = own.insert(Header { key, value: Some(*value) });
        }
        let mut record: BaseRecord<'_, str, [u8]> = BaseRecord::to(&topic).headers(own);
        record.key = key;
        record.payload = value;
        let mut waiting = Some(record);
        while let Some(record) = waiting.take() {
            if let Err((error, record)) = self.producer.send(record) {
                assert!(error.to_string().contains("Queue full"), "{error}");
                self.producer.poll(Duration::from_millis(20));
                waiting = Some(record);
            }
        }
    }

    pub fn flush(&self) {
        self.producer.flush(PATIENCE).expect("the broker takes it");
    }

    fn consumer(&self) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("group.id", format!("{}kulanz", self.prefix))
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer")
    }

    /// All that lies on a topic, partition by partition.
    pub fn read(&self, topic: &str) -> Vec<Record> {
        let (topic, consumer) = (self.full(topic), self.consumer());
        let mut left = BTreeMap::new();
        let mut from = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let (low, high) = consumer.fetch_watermarks(&topic, partition, PATIENCE).unwrap();
            if high > low {
                left.insert(partition, high);
                from.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
            }
        }
        consumer.assign(&from).unwrap();
        let mut found = Vec::new();
        while !left.is_empty() {
            let Some(record) = consumer.poll(PATIENCE) else { panic!("{topic} ends early") };
            let record = record.unwrap();
            if left.get(&record.partition()).is_some_and(|high| record.offset() + 1 >= *high) {
                left.remove(&record.partition());
            }
            let headers = record.headers().into_iter().flat_map(Headers::iter);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            found.push(Record {
                key: record.key().map(text),
                partition: record.partition(),
                value: record.payload().unwrap_or_default().to_vec(),
                headers: headers
                    .map(|header| (header.key.to_owned(), text(header.value.unwrap_or_default())))
                    .collect(),
            });
        }
        found
    }

    /// Records on inbound topics that are not committed yet; `None` while the broker, just
    /// started again, cannot tell.
    pub fn lag(&self) -> Option<i64> {
        let consumer = self.consumer();
        let mut asked = TopicPartitionList::new();
        for topic in INBOUND {
            asked.add_partition_range(&self.full(topic), 0, PARTITIONS - 1);
        }
        let committed = consumer.committed_offsets(asked, PATIENCE).ok()?;
        let lags = committed.elements().into_iter().map(|one| {
            let ends = consumer.fetch_watermarks(one.topic(), one.partition(), PATIENCE).ok()?;
            Some(ends.1 - one.offset().to_raw().unwrap_or_default().max(0))
        });
        lags.sum()
    }

    /// Waits until all that was sent is recorded and committed.
    #[track_caller]
    pub fn drained(&self, house: &Installation) {
        eventually(&format!("all is committed; log:\n{}", house.log()), || {
            (self.lag() == Some(0)).then_some(())
        });
    }
}

/// The topic that the contract has for an event.
pub fn topic_of(event: &Value) -> &'static str {
    let kind = event["type"].as_str().expect("a type");
    let word = kind.strip_prefix("kulanz.").expect("one of ours");
    match word.split('.').next().expect("a word") {
        "debtor" | "hold" => "kulanz.debtors",
        "invoice" | "dispute" => "kulanz.invoices",
        "payment" => "kulanz.payments",
        "reminder" => "kulanz.reminders",
        _ => "kulanz.placements",
    }
}
