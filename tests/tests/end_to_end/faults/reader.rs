//! A reader of `kulanz.accounts` as docs/kafka.md asks for one: it keeps the greatest position of
//! each partition and passes over what is not greater. It reads during all faults. What it passes
//! over without having had it is lost to everybody who reads like this.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use serde_json::Value;

use super::super::kafka::{PARTITIONS, Topics};

/// What was read.
#[derive(Debug, Default, Clone)]
pub struct Heard {
    /// Positions that were taken.
    pub positions: BTreeSet<u64>,
    greatest: BTreeMap<i32, u64>,
    versions: BTreeMap<String, u64>,
    /// Records that told again what had been told.
    pub repeated: usize,
    /// What must not be.
    pub wrong: Vec<String>,
}

impl Heard {
    fn take(&mut self, partition: i32, event: &Value) {
        let position: u64 = event["id"].as_str().unwrap().parse().unwrap();
        let greatest = self.greatest.entry(partition).or_default();
        if position <= *greatest {
            self.repeated += 1;
            if !self.positions.contains(&position) {
                self.wrong.push(format!("{position} came after {greatest}, for the first time"));
            }
            return;
        }
        *greatest = position;
        self.positions.insert(position);
        let account = event["subject"].as_str().unwrap().to_owned();
        let version = event["accountversion"].as_u64().unwrap();
        let last = self.versions.entry(account.clone()).or_default();
        if version != *last + 1 {
            self.wrong.push(format!("{account}: version {version} came after {last}"));
        }
        *last = version;
    }
}

/// Reads in a thread of its own until it is dropped.
pub struct Reader {
    heard: Arc<Mutex<Heard>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub fn start(topics: &Topics) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &topics.address)
            .set("group.id", topics.full("reader"))
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let topic = topics.full("kulanz.accounts");
            all.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        let (heard, stop) = (Arc::<Mutex<Heard>>::default(), Arc::<AtomicBool>::default());
        let (notes, told) = (Arc::clone(&heard), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                // A broker that is away comes again.
                let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) else { continue };
                let event = serde_json::from_slice(record.payload().unwrap()).unwrap();
                notes.lock().unwrap().take(record.partition(), &event);
            }
        });
        Self { heard, stop, thread: Some(thread) }
    }

    pub fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
