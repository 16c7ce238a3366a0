//! Broker and database that are away: killed, stopped, and for half a minute. No server ends.

use std::time::{Duration, Instant};

use super::{
    super::{
        kafka::server,
        postgres,
        world::{Server, within},
    },
    fleet::Fleet,
    verify::{begin, verify},
};

/// For how long the database is away.
const OUTAGE: Duration = Duration::from_secs(30);

#[track_caller]
pub fn all_run(fleet: &Fleet, servers: &mut [Option<Server>]) {
    for (number, server) in servers.iter_mut().enumerate() {
        assert!(server.as_mut().unwrap().runs(), "{}", fleet.houses[number].log());
    }
}

/// Waits until all servers say whether they are ready.
#[track_caller]
pub fn all_say(servers: &[Option<Server>], status: u16) {
    for server in servers.iter().flatten() {
        within(60, &format!("/readyz says {status}"), || {
            (server.get("/readyz").status == status).then_some(())
        });
    }
}

#[test]
fn the_broker_is_killed_and_the_database_is_killed_and_away_for_half_a_minute() {
    let what = "the_broker_is_killed_and_the_database_is_killed_and_away_for_half_a_minute";
    let Some(broker) = server::own(what) else { return };
    let database = postgres::server::Server::own();
    let (mut dice, events) = begin(what, 300);
    let fleet = Fleet::new(2, database.database(), &broker.ask("address"));
    let mut servers = fleet.serve_all();
    let mut own = dice.other();
    let fed = std::thread::scope(|scope| {
        let feeding = scope.spawn(|| fleet.feed(&mut own, &events, Duration::from_millis(350)));
        let mut pause =
            |upto: u64| std::thread::sleep(Duration::from_millis(500 + dice.below(upto)));
        pause(2_000);
        broker.ask("kill");
        pause(2_000);
        broker.ask("start");
        pause(2_000);
        database.ask("kill");
        database.ask("start");
        all_say(&servers, 200);
        pause(2_000);
        broker.ask("stop");
        database.ask("stop");
        let begun = Instant::now();
        all_say(&servers, 503);
        broker.ask("start");
        std::thread::sleep(OUTAGE.saturating_sub(begun.elapsed()));
        all_run(&fleet, &mut servers);
        database.ask("start");
        all_say(&servers, 200);
        feeding.join().unwrap()
    });
    all_run(&fleet, &mut servers);
    let waited = fleet.logged("they wait and are tried again");
    println!(
        "{what}: broker killed once, stopped once; database killed once, away {OUTAGE:?}; \
              records waited for the database {waited} times"
    );
    assert!(waited > 0, "nothing came in while the database was away");
    assert!(fed.refused > 0, "nobody was told to come again: {fed:?}");
    verify(what, &fleet, servers, &events, &fed);
}
