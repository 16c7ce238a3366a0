//! The data in PostgreSQL: the same program, the same figures, with a server that goes and comes.

use std::fs;

use serde_json::{Value, json};

use super::{
    events::{invoice, payment},
    http::NDJSON,
    world::{Installation, eventually, lines},
};

#[path = "../../tools/postgres.rs"]
pub mod server;

/// Has `kulanz.yaml` name the database of `url`, its password in a file.
pub fn keep_in(house: &Installation, url: &str) {
    let (before, place) = url.rsplit_once('@').unwrap();
    let (user, password) = before.rsplit_once(':').unwrap();
    let file = house.file("password", format!("{password}\n"));
    house.settings(&json!({
        "database": format!("{user}@{place}"),
        "database_password": { "file": file },
    }));
}

fn on_postgres() -> Installation {
    let house = Installation::new();
    keep_in(&house, &server::database());
    house
}

fn history() -> Vec<Value> {
    let mut events = Vec::new();
    for number in 0..400 {
        let account = format!("atelier/K-{}", number % 90);
        let (claim, amount) =
            (format!("R-{number}"), format!("{}.{:02}", 20 + number, number % 100));
        events.push(invoice(&account, &claim, &amount, "2026-03-15"));
        if number % 3 == 0 {
            let id = format!("P-{number}");
            events.push(payment(&account, &id, "19.99", "2026-04-01", &claim));
        }
    }
    events
}

#[test]
fn both_stores_give_the_same_figures_and_a_second_import_changes_nothing() {
    let (embedded, database) = (Installation::new(), on_postgres());
    for house in [&embedded, &database] {
        let file = house.events("history.ndjson", &history());
        house.import(&file).well();
        house.import(&file).well();
        house.run(&["rebuild"]).well();
    }
    for told in ["book", "work"] {
        assert_eq!(embedded.json(&[told]), database.json(&[told]), "{told}");
    }
    let [one, other] = [&embedded, &database]
        .map(|house| house.json(&["account", "show", "atelier/K-7"])["books"].clone());
    assert_eq!(one, other);
    assert_eq!(embedded.kinds("atelier/K-7"), database.kinds("atelier/K-7"));
    assert!(!database.data().join("kulanz.db").exists());
    assert!(database.data().join("master.key").is_file());
    let doctor = database.run(&["doctor"]).well();
    assert!(doctor.out.contains("the database of kulanz at 127.0.0.1"), "{}", doctor.out);
    assert!(doctor.out.contains("90 accounts, 400 claims agree"), "{}", doctor.out);
}

#[test]
fn what_was_accepted_is_there_after_the_program_was_killed() {
    let house = on_postgres();
    let served = house.serve();
    served.accept(&[invoice("atelier/K-1", "R-1", "89.90", "2026-03-15")]);
    served.kill();
    let served = house.serve();
    let again = [
        invoice("atelier/K-1", "R-1", "89.90", "2026-03-15"),
        invoice("atelier/K-1", "R-2", "10.10", "2026-03-15"),
    ];
    let answer = served.post("/v1/events", &[NDJSON], lines(&again).as_bytes());
    let answer = answer.json();
    let told: Vec<&str> = answer["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|receipt| receipt["status"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["duplicate", "accepted"]);
    // The command line reads beside the server and gives it its orders.
    assert_eq!(house.json(&["book"])["currencies"]["EUR"]["outstanding"], "100.00");
    house.run(&["account", "hold", "atelier/K-1", "--reason", "called", "--as", "ada"]).well();
    assert!(house.kinds("atelier/K-1").contains(&"HoldPlaced".to_owned()));
    // Another installation with the same database needs the same key.
    let second = Installation::new();
    fs::copy(house.config().join("kulanz.yaml"), second.config().join("kulanz.yaml")).unwrap();
    let refused = second.run(&["serve", "--listen", "127.0.0.1:0"]);
    refused.refused(&["master.key is missing"]);
    house.run(&["rebuild"]).refused(&["is in use", "another `kulanz`"]);
    served.stop();
    let copied = second.run(&["serve", "--listen", "127.0.0.1:0"]);
    copied.refused(&["master.key is missing"]);
}

#[test]
fn a_database_that_goes_and_comes_again_is_a_fault_meanwhile() {
    let server = server::Server::own();
    let house = Installation::new();
    keep_in(&house, &server.database());
    let served = house.serve();
    let place = "from the database of kulanz at 127.0.0.1:";
    assert!(house.log().contains(place), "{}", house.log());
    served.accept(&[invoice("atelier/K-1", "R-1", "89.90", "2026-03-15")]);
    server.ask("stop");
    let event = [invoice("atelier/K-2", "R-2", "10.10", "2026-03-15")];
    let answer = served.post("/v1/events", &[NDJSON], lines(&event).as_bytes());
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(served.get("/readyz").status, 503);
    server.ask("start");
    eventually("the server finds its database again", || {
        (served.get("/readyz").status == 200).then_some(())
    });
    served.accept(&event);
    assert_eq!(house.json(&["book"])["currencies"]["EUR"]["outstanding"], "100.00");
    served.stop();
}

#[test]
fn what_does_not_do_is_refused_at_start_with_what_helps() {
    let house = on_postgres();
    let start = || house.run(&["serve", "--listen", "127.0.0.1:0"]);
    house.file("password", "falsch");
    start().refused(&["cannot be opened", "check user and password"]);
    let url = server::database();
    let place = url.rsplit_once('@').unwrap().1;
    house.settings(&json!({ "database": format!("postgres://kulanz@{place}") }));
    start().refused(&["wants a password for kulanz", "database_password in kulanz.yaml"]);
    // The server shows a certificate that nobody vouches for.
    house.settings(&json!({
        "database": format!("postgres://kulanz@{place}?sslmode=verify-full"),
        "database_password": { "file": house.file("password", "falsch") },
    }));
    let refused = start().refused(&["its certificate is from nobody", "sslrootcert=ca.pem"]);
    assert!(!refused.err.contains('{'), "{refused:?}");
    house.settings(&json!({ "database": "postgres://kulanz:geheim@127.0.0.1/kulanz" }));
    start().refused(&["holds a password", "database_password: { env: NAME }"]);
    house.settings(&json!({ "database": "postgres://kulanz@127.0.0.1:1/kulanz" }));
    start().refused(&["kulanz at 127.0.0.1:1/kulanz cannot be reached"]);
    house.settings(&json!({ "database_password": { "env": "NAME" } }));
    start().refused(&["of no use without `database`"]);
    let doctor = house.run(&["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.out.contains("WRONG  data"), "{}", doctor.out);
}
