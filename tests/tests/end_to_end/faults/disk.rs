//! The database's disk is full: first for its tables, so that it refuses every write and goes on
//! answering, then for its own log, so that it ends. Both times somebody makes room.

use std::{fs, time::Duration};

use super::{
    super::{
        disk::SmallDisk,
        kafka::server,
        postgres,
        world::{eventually, within},
    },
    fleet::Fleet,
    outages::{all_run, all_say},
    sql::{rows, try_rows},
    verify::{begin, verify},
};

/// More of the database's log than there is room for.
const LOG: &str = "DO $$ BEGIN FOR number IN 1..200 LOOP
    PERFORM pg_logical_emit_message(false, 'full', repeat('x', 1000000)); END LOOP; END $$";

#[test]
fn the_disk_of_the_database_is_full_for_its_tables_and_for_its_log() {
    let what = "the_disk_of_the_database_is_full_for_its_tables_and_for_its_log";
    if !server::is_real(what) {
        return;
    }
    let disk = SmallDisk::new(200);
    let database = postgres::server::Server::own_on(disk.path(), &disk.environment());
    let admin = database.ask("admin");
    let (mut dice, events) = begin(what, 250);
    let fleet = Fleet::new(2, database.database(), &server::shared().address());
    let mut servers = fleet.serve_all();
    let mut own = dice.other();
    let fed = std::thread::scope(|scope| {
        let feeding = scope.spawn(|| fleet.feed(&mut own, &events, Duration::from_millis(180)));
        std::thread::sleep(Duration::from_millis(1_000 + dice.below(2_000)));
        // Its log has room yet, in a file that is there.
        rows(&admin, "SELECT pg_switch_wal()");
        rows(&admin, "SELECT pg_logical_emit_message(true, 'room', 'begins')");
        let ballast = disk.fill(64);
        // What fits into room that its tables have already may still be written in between.
        for server in servers.iter().flatten() {
            within(60, "/readyz says that there is no space", || {
                let said = server.get("/readyz");
                (said.status == 503 && said.body.contains("no space left")).then_some(())
            });
        }
        assert_eq!(try_rows(&admin, "SELECT 1").err(), None, "it answers, and writes nothing");
        std::thread::sleep(Duration::from_millis(2_000));
        all_run(&fleet, &mut servers);
        fs::remove_file(ballast).unwrap();
        all_say(&servers, 200);

        std::thread::sleep(Duration::from_millis(dice.below(2_000)));
        let ballast = disk.fill(0);
        let error = try_rows(&admin, LOG).expect_err("there is no room");
        within(60, &format!("the database ends, after {error}"), || {
            let error = try_rows(&admin, "SELECT 1").err()?;
            error.contains("refused").then_some(())
        });
        all_say(&servers, 503);
        all_run(&fleet, &mut servers);
        fs::remove_file(ballast).unwrap();
        database.ask("start");
        all_say(&servers, 200);
        feeding.join().unwrap()
    });
    all_run(&fleet, &mut servers);
    let full = fleet.logged("a batch could not be written error=no space left");
    let waited = fleet.logged("they wait and are tried again");
    println!(
        "{what}: batches found no room {full} times, and records waited {waited} times; the \
         database ended once of it"
    );
    assert!(full > 0 && waited > 0, "{full}, {waited}: nothing came in meanwhile");
    eventually("nobody says any more that there is no room", || {
        servers.iter().flatten().all(|server| server.get("/readyz").status == 200).then_some(())
    });
    verify(what, &fleet, servers, &events, &fed);
}
