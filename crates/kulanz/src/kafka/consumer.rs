//! Events in. One thread polls, collects records into batches and hands them to the engine. Up to
//! [`AHEAD`] batches are under way: one is decoded while another is decided and a third one
//! written. They reach the engine in their order, so that an account's events stay in theirs.
//! Offsets are stored in that order too, once their records are durable, and librdkafka commits
//! them within a second.
//!
//! Where more waits than a batch holds, records go by their time, whatever topic they are on: the
//! broker hands out one partition after the other, and an invoice and what was paid on it would
//! come long after each other, in whichever order. Each partition stays in its own order.
//!
//! Where the store does not answer, the batches stay here, the partitions are paused and the
//! batches are tried again, the first one first, with pauses that grow; the group goes on counting
//! us as alive. Partitions that
//! are taken away are given up once what is under way is durable, or after [`LAST_RECORDS`]; what
//! is not by then comes again to whoever has them next.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use kulanz_engine::panics;
use kulanz_store::QuickMap;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    client::OAuthToken,
    config::{ClientConfig, RDKafkaLogLevel},
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
    error::{KafkaError, RDKafkaErrorCode},
    message::OwnedMessage,
};
use tokio::task::JoinHandle;

use super::{connection::Ears, running::Intake};
use crate::intake::Turn;

/// Records recorded at once.
const BATCH: usize = 2000;
/// Records among which the earliest are looked for: more than a fetch brings of 32 partitions.
const WINDOW: usize = 16_000;
/// From so many records on a batch is begun beside one that is under way.
const SECOND: usize = 400;
/// Batches under way at most.
const AHEAD: usize = 3;
/// Bytes of records recorded at once: a few large ones must not fill the memory.
const BATCH_BYTES: usize = 4 << 20;
/// Bytes of the records of a [`WINDOW`].
const WINDOW_BYTES: usize = 8 << 20;
/// How long a batch may take before the partitions are paused, so that polling can go on.
const SLOW: Duration = Duration::from_secs(2);
/// How long records under way are waited for at the end, and when partitions are taken away.
const LAST_RECORDS: Duration = Duration::from_secs(20);
/// Longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The consumer's settings beside those of the connection.
pub fn configure(mut client: ClientConfig, group: &str) -> ClientConfig {
    client
        .set("group.id", group)
        // Partition n of every topic at the same instance: an account's facts meet in one place.
        .set("partition.assignment.strategy", "range")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        // After a crash the group waits for so long before others get the partitions.
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "2000")
        // What is fetched ahead, in KiB over all partitions: memory stays bounded.
        .set("queued.max.messages.kbytes", "16384")
        .set("queued.min.messages", "10000")
        // Of one partition at a time, so that a window has some of each that lags behind.
        .set("max.partition.fetch.bytes", "131072")
        // Records are fetched as they come together, not each as it comes: a fetch asks for all
        // partitions, and costs the broker more than what it brings.
        .set("fetch.min.bytes", "65536")
        .set("fetch.wait.max.ms", "30");
    client
}

/// A batch that the engine works on, or that waits to be tried again.
struct Flight {
    records: Arc<Vec<OwnedMessage>>,
    work: Option<JoinHandle<Result<()>>>,
    begun: Instant,
    attempts: u32,
    again_at: Instant,
    done: bool,
}

impl Flight {
    fn failed(&mut self, error: &anyhow::Error) {
        self.attempts += 1;
        let pause = Duration::from_millis(200) * 2_u32.pow(self.attempts.min(8));
        self.again_at = Instant::now() + pause.min(LONGEST_PAUSE);
        tracing::error!(
            error = format!("{error:#}"),
            records = self.records.len(),
            attempts = self.attempts,
            "records from Kafka cannot be recorded; they wait and are tried again"
        );
    }
}

#[derive(Default)]
struct Batches {
    held: Held,
    /// In the order in which they were polled.
    flights: VecDeque<Flight>,
    /// Handed to the engine by the last of them: its successor's turn.
    turn: Turn,
    paused: bool,
}

/// Shared by the polling thread and the calls that librdkafka makes from within a poll.
pub struct Group {
    ears: Ears,
    intake: Arc<Intake>,
    runtime: tokio::runtime::Handle,
    batches: Mutex<Batches>,
}

impl rdkafka::ClientContext for Group {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.ears.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.ears.error(error, reason);
    }

    fn generate_oauth_token(
        &self,
        config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.ears.generate_oauth_token(config)
    }
}

impl ConsumerContext for Group {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if !matches!(rebalance, Rebalance::Assign(_)) {
            // `range` takes all partitions away before it gives new ones.
            self.finish(consumer);
            self.intake.takes(|_, _| false);
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            tracing::info!(partitions = partitions.count(), "partitions of Kafka were assigned");
            // What others did meanwhile is not known here.
            self.intake.forget_letters();
            self.intake
                .takes(|topic, partition| partitions.find_partition(topic, partition).is_some());
            self.lock().paused = false;
        }
    }
}

impl Group {
    /// For one consumer; on a tokio runtime.
    pub fn new(ears: Ears, intake: Arc<Intake>) -> Self {
        let runtime = tokio::runtime::Handle::current();
        Self { ears, intake, runtime, batches: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls until `stop`; blocks its thread. What was polled is durable and committed then, or
    /// comes again.
    pub fn run(consumer: &BaseConsumer<Self>, stop: &AtomicBool) {
        let group = consumer.context();
        while !stop.load(Ordering::Relaxed) {
            let wait = {
                let mut batches = group.lock();
                group.advance(consumer, &mut batches);
                match (batches.flights.is_empty(), batches.held.is_full()) {
                    // Nothing more is taken; polling goes on only because it is paused.
                    (false, true) if !batches.paused => None,
                    (false, _) => Some(Duration::from_millis(5)),
                    (true, _) if batches.held.records.is_empty() => {
                        Some(Duration::from_millis(100))
                    }
                    (true, _) => Some(Duration::ZERO),
                }
            };
            let Some(wait) = wait else {
                std::thread::sleep(Duration::from_millis(1));
                group.launch(&mut group.lock());
                continue;
            };
            match consumer.poll(wait) {
                Some(Ok(record)) => {
                    let mut batches = group.lock();
                    batches.held.push(record.detach());
                    // Small batches where nothing is under way: what comes meanwhile fills the next.
                    // One of some size is decided while the one before it is written.
                    if batches.flights.len() < batches.held.flights() {
                        group.launch(&mut batches);
                    }
                }
                Some(Err(error)) => group.complain(&error),
                None => group.launch(&mut group.lock()),
            }
        }
        group.finish(consumer);
    }

    fn complain(&self, error: &KafkaError) {
        // Brokers that are away come back by themselves, and librdkafka asks again and again.
        let explained = self.ears.explain(error);
        tracing::warn!("records cannot be fetched at the moment: {explained:#}");
    }

    /// Hands a batch of what is held to the engine, unless enough are under way.
    fn launch(&self, batches: &mut Batches) {
        let failed = batches.flights.iter().any(|flight| flight.attempts > 0);
        let most = batches.held.flights();
        if batches.held.records.is_empty() || batches.flights.len() >= most || failed {
            return;
        }
        let records = Arc::new(batches.held.earliest());
        let now = Instant::now();
        let (turn, next) = Turn::after(std::mem::take(&mut batches.turn));
        batches.turn = next;
        let work = self.work(&records, 0, turn);
        let flight = Flight {
            records,
            work: Some(work),
            begun: now,
            attempts: 0,
            again_at: now,
            done: false,
        };
        batches.flights.push_back(flight);
    }

    fn work(
        &self,
        records: &Arc<Vec<OwnedMessage>>,
        attempts: u32,
        turn: Turn,
    ) -> JoinHandle<Result<()>> {
        let (intake, records) = (Arc::clone(&self.intake), Arc::clone(records));
        self.runtime.spawn(async move { intake.take(&records, attempts, turn).await })
    }

    /// Looks after the batches under way: stores the offsets of those that are done, the first
    /// one first, or tries again. Once one has failed, all others end before that; what failed
    /// goes one after the other from then on.
    fn advance(&self, consumer: &BaseConsumer<Self>, batches: &mut Batches) {
        for flight in &mut batches.flights {
            if flight.work.as_ref().is_some_and(JoinHandle::is_finished)
                && let Some(work) = flight.work.take()
            {
                let done = self.runtime.block_on(work);
                let died = |error| anyhow!("it came to no end: {}", panics::ended(&error));
                match done.map_err(died).and_then(|taken| taken) {
                    Ok(()) => flight.done = true,
                    Err(error) => flight.failed(&error),
                }
            }
        }
        while let Some(flight) = batches.flights.pop_front_if(|flight| flight.done) {
            store_offsets(consumer, &flight.records);
            if flight.attempts > 0 {
                tracing::info!("records from Kafka are recorded again");
            }
        }
        let now = Instant::now();
        let quiet = batches.flights.iter().all(|flight| flight.work.is_none());
        let stuck = batches
            .flights
            .front()
            .is_some_and(|first| first.attempts > 0 || first.begun.elapsed() > SLOW);
        if let Some(first) = batches.flights.front_mut()
            && quiet
            && now >= first.again_at
        {
            first.begun = now;
            first.work = Some(self.work(&first.records, first.attempts, Turn::default()));
        }
        // Again and again: an assignment that came meanwhile is not paused.
        if stuck != batches.paused {
            set_paused(consumer, batches, stuck);
        }
    }

    /// Brings what is under way to its end, or gives it up. What was polled and not begun comes
    /// again, to us or others.
    fn finish(&self, consumer: &BaseConsumer<Self>) {
        let until = Instant::now() + LAST_RECORDS;
        let mut batches = self.lock();
        batches.held = Held::default();
        loop {
            self.advance(consumer, &mut batches);
            if batches.flights.is_empty() {
                break;
            }
            if Instant::now() > until {
                let under_way = batches.flights.drain(..).map(|flight| flight.records.len());
                let records = under_way.sum::<usize>();
                tracing::warn!(records, "records from Kafka were given up; they come again");
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        batches.paused = false;
        match consumer.commit_consumer_state(CommitMode::Sync) {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            Err(error) => {
                tracing::warn!(%error, "offsets were not committed; some records come again");
            }
        }
    }
}

/// What was polled and is in no batch yet.
#[derive(Default)]
struct Held {
    /// In the order in which they were polled.
    records: Vec<OwnedMessage>,
    bytes: usize,
}

impl Held {
    fn push(&mut self, record: OwnedMessage) {
        self.bytes += size(&record);
        self.records.push(record);
    }

    fn fill_a_batch(&self) -> bool {
        self.records.len() >= BATCH || self.bytes >= BATCH_BYTES
    }

    /// So many batches may be under way beside each other with what is held.
    fn flights(&self) -> usize {
        match self.records.len() {
            _ if self.fill_a_batch() => AHEAD,
            SECOND.. => 2,
            _ => 1,
        }
    }

    fn is_full(&self) -> bool {
        self.records.len() >= WINDOW || self.bytes >= WINDOW_BYTES
    }

    /// Takes a batch of the earliest. A record counts for as late as any before it on its partition,
    /// which so keeps its order whatever its records say about their time.
    fn earliest(&mut self) -> Vec<OwnedMessage> {
        let mut latest: QuickMap<(&str, i32), i64> = QuickMap::default();
        let mut order: Vec<(i64, usize)> = Vec::with_capacity(self.records.len());
        for (place, record) in self.records.iter().enumerate() {
            let latest = latest.entry((record.topic(), record.partition())).or_insert(i64::MIN);
            *latest = (*latest).max(record.timestamp().to_millis().unwrap_or(i64::MIN));
            order.push((*latest, place));
        }
        order.sort_unstable();
        let mut records: Vec<_> = self.records.drain(..).map(Some).collect();
        let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
        for (_, place) in order {
            if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                break;
            }
            let record = records[place].take();
            bytes += record.as_ref().map_or(0, size);
            batch.extend(record);
        }
        self.records = records.into_iter().flatten().collect();
        self.bytes -= bytes;
        batch
    }
}

fn size(record: &OwnedMessage) -> usize {
    record.payload().map_or(0, <[u8]>::len) + record.key().map_or(0, <[u8]>::len)
}

fn set_paused(consumer: &BaseConsumer<Group>, batches: &mut Batches, paused: bool) {
    let done = consumer.assignment().and_then(|partitions| match paused {
        true => consumer.pause(&partitions),
        false => consumer.resume(&partitions),
    });
    match done {
        Ok(()) => batches.paused = paused,
        Err(error) => tracing::warn!(%error, paused, "partitions cannot be paused or resumed"),
    }
}

/// The next offset of each partition that has records here.
fn store_offsets(consumer: &BaseConsumer<Group>, records: &[OwnedMessage]) {
    let mut next: QuickMap<(&str, i32), i64> = QuickMap::default();
    for record in records {
        let offset = next.entry((record.topic(), record.partition())).or_default();
        *offset = (*offset).max(record.offset() + 1);
    }
    let mut list = TopicPartitionList::with_capacity(next.len());
    for ((topic, partition), offset) in next {
        if let Err(error) = list.add_partition_offset(topic, partition, Offset::Offset(offset)) {
            tracing::warn!(%error, topic, partition, "an offset cannot be stored");
        }
    }
    // Partitions that are ours no more refuse: their records come again elsewhere.
    if let Err(error) = consumer.store_offsets(&list) {
        tracing::warn!(%error, "offsets were not stored; some records come again");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rdkafka::Timestamp;

    use super::*;

    fn held(records: &[(&str, i64)], payload: usize) -> Held {
        let mut held = Held::default();
        let mut offsets: QuickMap<&str, i64> = QuickMap::default();
        for (topic, at) in records {
            let offset = offsets.entry(topic).or_insert(-1);
            *offset += 1;
            let time = match at {
                -1 => Timestamp::NotAvailable,
                at => Timestamp::CreateTime(*at),
            };
            let payload = Some(vec![0; payload]);
            held.push(OwnedMessage::new(
                payload,
                None,
                (*topic).to_owned(),
                time,
                0,
                *offset,
                None,
            ));
        }
        held
    }

    fn names(records: &[OwnedMessage]) -> Vec<String> {
        records.iter().map(|record| format!("{}{}", record.topic(), record.offset())).collect()
    }

    #[test]
    fn records_of_several_topics_go_by_their_time() {
        let mut held = held(&[("i", 1), ("i", 3), ("i", 5), ("p", 2), ("p", 4)], 1);
        assert_eq!(names(&held.earliest()), ["i0", "p0", "i1", "p1", "i2"]);
        assert!(held.records.is_empty() && held.bytes == 0);
    }

    #[test]
    fn a_partition_keeps_its_order_whatever_its_clock_says() {
        let mut held = held(&[("i", 9), ("i", 1), ("i", -1), ("p", 2), ("p", 2)], 1);
        assert_eq!(names(&held.earliest()), ["p0", "p1", "i0", "i1", "i2"]);
    }

    #[test]
    fn a_batch_is_no_larger_than_it_may_be_and_the_rest_stays_in_its_order() {
        let by_number: Vec<_> = (0..BATCH as i64 + 2).map(|at| ("i", at)).collect();
        let mut many = held(&by_number, 1);
        assert_eq!(many.earliest().len(), BATCH);
        assert_eq!(names(&many.records), [format!("i{BATCH}"), format!("i{}", BATCH + 1)]);
        assert_eq!(many.bytes, 2);
        let mut large = held(&[("i", 1), ("i", 2), ("p", 1)], BATCH_BYTES / 2);
        assert_eq!(names(&large.earliest()), ["i0", "p0"]);
        assert_eq!((names(&large.records), large.bytes), (vec!["i1".into()], BATCH_BYTES / 2));
    }
}
