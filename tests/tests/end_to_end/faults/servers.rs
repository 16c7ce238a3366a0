//! Servers that die, and servers that come and go: the others, or the next one, go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rdkafka::{ClientConfig, consumer::BaseConsumer, consumer::Consumer};

use super::{
    super::{
        kafka::{INBOUND, Topics, server},
        postgres,
    },
    fleet::Fleet,
    verify::{begin, verify},
};

const SERVERS: usize = 3;

#[test]
fn one_of_three_servers_is_killed_every_few_seconds_under_load() {
    let what = "one_of_three_servers_is_killed_every_few_seconds_under_load";
    if !server::is_real(what) {
        return;
    }
    let (mut dice, events) = begin(what, 300);
    let fleet = Fleet::new(SERVERS, postgres::server::database(), &server::shared().address());
    let mut servers = fleet.serve_all();
    let mut kills = 0;
    let mut own = dice.other();
    let fed = std::thread::scope(|scope| {
        let feeding = scope.spawn(|| fleet.feed(&mut own, &events, Duration::from_millis(180)));
        while !feeding.is_finished() {
            std::thread::sleep(Duration::from_millis(1_000 + dice.below(2_000)));
            let which = dice.below(SERVERS as u64) as usize;
            fleet.forget(which);
            servers[which].take().unwrap().kill();
            kills += 1;
            servers[which] = Some(fleet.serve(which));
        }
        feeding.join().unwrap()
    });
    println!("{what}: {kills} servers killed");
    assert!(kills >= 5, "{kills}");
    verify(what, &fleet, servers, &events, &fed);
}

/// Members of the group that take a share, record nothing of it, and leave.
struct Strangers {
    stop: Arc<AtomicBool>,
    joined: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<()>,
}

impl Strangers {
    fn start(topics: &Topics) -> Self {
        let (stop, joined) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (told, count) = (Arc::clone(&stop), Arc::clone(&joined));
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &topics.address)
            .set("group.id", topics.settings()["group"].as_str().unwrap())
            .set("partition.assignment.strategy", "range")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest");
        let names: Vec<String> = INBOUND.iter().map(|name| topics.full(name)).collect();
        let thread = std::thread::spawn(move || {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            while !told.load(Ordering::Relaxed) {
                let member: BaseConsumer = config.create().unwrap();
                member.subscribe(&names).unwrap();
                while !told.load(Ordering::Relaxed) {
                    let _ = member.poll(Duration::from_millis(50));
                    if member.assignment().is_ok_and(|partitions| partitions.count() > 0) {
                        count.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                }
            }
        });
        Self { stop, joined, thread }
    }

    /// How often one had a share.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.joined.load(Ordering::Relaxed)
    }
}

#[test]
fn servers_and_strangers_join_and_leave_the_group_all_the_time() {
    let what = "servers_and_strangers_join_and_leave_the_group_all_the_time";
    if !server::is_real(what) {
        return;
    }
    let (mut dice, events) = begin(what, 200);
    let fleet = Fleet::new(SERVERS, postgres::server::database(), &server::shared().address());
    let mut servers = fleet.serve_all();
    let strangers = Strangers::start(&fleet.topics);
    let mut moves = 0;
    let mut own = dice.other();
    let fed = std::thread::scope(|scope| {
        let feeding = scope.spawn(|| fleet.feed(&mut own, &events, Duration::from_millis(180)));
        // One stays, so that somebody always serves; at the end all are there.
        while !feeding.is_finished() || servers.iter().any(Option::is_none) {
            let which = 1 + dice.below(SERVERS as u64 - 1) as usize;
            servers[which] = match servers[which].take() {
                Some(server) => {
                    fleet.forget(which);
                    server.stop();
                    None
                }
                None => Some(fleet.serve(which)),
            };
            moves += 1;
            std::thread::sleep(Duration::from_millis(dice.below(600)));
        }
        feeding.join().unwrap()
    });
    let strangers = strangers.stop();
    let assigned = fleet.logged("partitions of Kafka were assigned");
    println!(
        "{what}: servers joined or left {moves} times, strangers had a share {strangers} times, \
         partitions were assigned to servers {assigned} times"
    );
    assert!(moves >= 8 && assigned >= 12, "no storm: {moves} moves, {assigned} assignments");
    verify(what, &fleet, servers, &events, &fed);
}
