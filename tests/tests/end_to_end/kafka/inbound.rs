//! Events in: once each, whatever comes twice, goes wrong or dies in between.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rdkafka::{ClientConfig, consumer::BaseConsumer, consumer::Consumer};
use serde_json::{Value, json};

use super::{
    super::{
        crash::{history, sums},
        events::{debtor, event, invoice, payment},
        postgres::{self, keep_in},
        world::{Dice, Installation, eventually},
    },
    INBOUND, Topics, server, topic_of,
};

/// An installation with Kafka, its data in PostgreSQL where asked.
fn installation(on_postgres: bool) -> (Installation, Topics) {
    let house = Installation::new();
    let topics = Topics::new(&house);
    if on_postgres {
        keep_with_kafka(&house, &topics, &postgres::server::database());
    }
    (house, topics)
}

fn keep_with_kafka(house: &Installation, topics: &Topics, url: &str) {
    keep_in(house, url);
    let file = house.config().join("kulanz.yaml");
    let mut settings: Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    settings["kafka"] = topics.settings();
    house.settings(&settings);
}

fn outstanding(house: &Installation) -> Value {
    house.json(&["book"])["currencies"]["EUR"]["outstanding"].clone()
}

fn takes_effect_once(on_postgres: bool) {
    let (house, topics) = installation(on_postgres);
    let served = house.serve();
    // The payment comes before its invoice, and the invoice before its debtor.
    let paid = payment("atelier/K-1", "P-1", "30.00", "2026-04-01", "R-1");
    let issued = invoice("atelier/K-1", "R-1", "89.90", "2026-03-15");
    let known = debtor("atelier/K-1", "email", "kim@example.org", "+447700900001");
    topics.send_binary("kulanz.payments", &paid);
    topics.drained(&house);
    topics.send_all(&[issued.clone(), known.clone()]);
    topics.send("kulanz.invoices", std::slice::from_ref(&issued));
    topics.drained(&house);
    assert_eq!(outstanding(&house), "59.90");
    // The same over HTTP is a duplicate, too.
    let answer =
        served.post("/v1/events", &[super::super::http::EVENT], paid.to_string().as_bytes());
    assert_eq!(answer.json()["receipts"][0]["status"], "duplicate");
    served.stop();
    // What came while nobody was there is taken afterwards; the rest is not taken again.
    topics.send_all(&[issued, known, invoice("atelier/K-2", "R-2", "10.10", "2026-03-15")]);
    let served = house.serve();
    topics.drained(&house);
    assert_eq!(outstanding(&house), "70.00");
    let kinds = house.kinds("atelier/K-1");
    assert_eq!(kinds.iter().filter(|kind| *kind == "InvoiceIssued").count(), 1, "{kinds:?}");
    super::outbound::tells_of(&house, &topics, "atelier/K-1");
    let doctor = house.run(&["doctor"]);
    assert!(doctor.out.contains("everything that came in is recorded"), "{}", doctor.out);
    assert_eq!(house.json(&["dead-letters", "list"]), json!([]));
    served.stop();
}

#[test]
fn events_of_all_topics_and_modes_take_effect_once() {
    takes_effect_once(false);
}

#[test]
fn events_of_all_topics_and_modes_take_effect_once_on_postgres() {
    takes_effect_once(true);
}

/// The partition's good record, after a bad one.
fn good(number: usize) -> Value {
    invoice(&format!("atelier/G-{number}"), &format!("G-{number}"), "1.00", "2026-03-15")
}

#[test]
fn records_that_cannot_be_taken_become_dead_letters_and_hold_up_nothing() {
    let (house, topics) = installation(false);
    let mut other = topics.settings();
    let served = house.serve();
    let whole = invoice("atelier/K-1", "R-1", "89.90", "2026-03-15");
    let text = whole.to_string();
    let secret = "geheim@example.org";
    let put = |key: Option<&str>, value: &[u8], headers: &[(&str, &str)]| {
        topics.put("kulanz.invoices", key, Some(value), headers);
    };
    topics.send("kulanz.invoices", std::slice::from_ref(&whole));
    put(Some("atelier/K-1"), &text.as_bytes()[..text.len() / 2], &[]);
    put(Some("atelier/K-1"), b"\xff\xfe\x00", &[]);
    put(None, text.replace("issued-R-1", "no-key").as_bytes(), &[]);
    put(Some(secret), text.replace("issued-R-1", "other-key").as_bytes(), &[]);
    let headers = [("ce_specversion", "1.0"), ("ce_id", "headers"), ("content-type", "text/xml")];
    put(Some("atelier/K-1"), whole["data"].to_string().as_bytes(), &headers);
    let unknown = text.replace("kulanz.invoice.issued.v1", "kulanz.invoice.eaten.v1");
    put(Some("atelier/K-1"), unknown.as_bytes(), &[]);
    let mut large = whole.clone();
    large["data"]["description"] = json!(secret.repeat(120_000));
    put(Some("atelier/K-1"), large.to_string().as_bytes(), &[]);
    topics.put("kulanz.invoices", Some("atelier/K-1"), None, &[]);
    let nobody = invoice("nobody/K-1", "R-9", "1.00", "2026-03-15");
    topics.send("kulanz.invoices", &[nobody]);
    // Another amount under another id contradicts the recorded one.
    let mut contradicts = invoice("atelier/K-1", "R-1", "99.90", "2026-03-15");
    contradicts["id"] = json!("issued-again");
    topics.send("kulanz.invoices", &[contradicts]);
    topics.send(
        "kulanz.payments",
        &[{
            let mut strayed = whole.clone();
            strayed["id"] = json!("strayed");
            strayed
        }],
    );
    // One on every partition of every topic could not get past a record that holds up.
    topics.send("kulanz.invoices", &(0..40).map(good).collect::<Vec<_>>());
    topics.drained(&house);
    assert_eq!(outstanding(&house), "129.90");

    let letters = house.json(&["dead-letters", "list"]);
    let letters = letters.as_array().unwrap();
    let mut reasons: Vec<&str> = letters.iter().map(|l| l["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "invalid",
            "malformed",
            "malformed",
            "malformed",
            "refused",
            "too_large",
            "unknown_creditor",
            "unknown_type",
            "wrong_key",
            "wrong_key",
            "wrong_topic",
        ]
    );
    for letter in letters {
        let origin = letter["origin"].as_str().unwrap();
        assert!(origin.starts_with(&format!("kafka:{}kulanz.", topics.prefix)), "{origin}");
        assert!(!letter["detail"].as_str().unwrap().contains(secret), "{letter}");
    }
    let stray = letters.iter().find(|letter| letter["reason"] == "wrong_topic").unwrap();
    let shown = house.run(&["dead-letters", "show", &stray["number"].to_string()]).well();
    assert!(shown.out.contains("\"strayed\""), "the original bytes: {}", shown.out);

    // The topic has each of them, sealed.
    let told = eventually("the dead letters are on their topic", || {
        Some(topics.read("kulanz.dead-letters")).filter(|told| told.len() >= letters.len())
    });
    assert_eq!(told.len(), letters.len());
    for letter in letters {
        let number = letter["number"].to_string();
        let record = told.iter().find(|r| r.headers["kulanz_dead_letter"] == number).unwrap();
        assert_eq!(record.headers["kulanz_reason"], letter["reason"].as_str().unwrap());
        assert_eq!(record.headers["kulanz_detail"], letter["detail"].as_str().unwrap());
        let place = format!(
            "kafka:{}/{}@{}",
            record.headers["kulanz_topic"],
            record.headers["kulanz_partition"],
            record.headers["kulanz_offset"]
        );
        assert_eq!(place, letter["origin"].as_str().unwrap());
        assert_eq!(record.key.as_deref(), letter["account"].as_str());
        let bytes = String::from_utf8_lossy(&record.value);
        assert!(!bytes.contains(secret) && !bytes.contains("specversion"), "in the clear");
        let too_large = letter["reason"] == "too_large";
        assert_eq!(record.value.is_empty(), too_large, "{letter}");
    }
    assert!(!house.log().contains(secret), "{}", house.log());
    served.stop();

    // A group that knows of no offset gets everything again: nothing is doubled.
    other["group"] = json!(format!("{}again", topics.prefix));
    house.settings(&json!({ "kafka": other }));
    let served = house.serve();
    topics.send("kulanz.invoices", &[good(99)]);
    eventually("all was read again", || (outstanding(&house) == "130.90").then_some(()));
    served.stop();
    assert_eq!(house.json(&["dead-letters", "list"]).as_array().unwrap().len(), letters.len());
    assert_eq!(house.kinds("atelier/K-1").iter().filter(|k| *k == "InvoiceIssued").count(), 1);
}

/// A fault that is neither the store's nor the record's: the account's key cannot be opened.
#[test]
fn an_account_that_is_damaged_holds_up_no_other() {
    let (house, topics) = installation(false);
    let served = house.serve();
    topics.send_all(&[good(0), good(1)]);
    topics.drained(&house);
    served.stop();
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    let damage = "UPDATE keys SET wrapped = zeroblob(length(wrapped))
        WHERE account = (SELECT number FROM accounts WHERE debtor = 'G-0')";
    assert_eq!(database.execute(damage, []).unwrap(), 1);
    let served = house.serve();
    let more = invoice("atelier/G-0", "G-0-2", "1.00", "2026-03-15");
    topics.send_all(&[&[more], &(2..30).map(good).collect::<Vec<_>>()[..]].concat());
    topics.drained(&house);
    assert_eq!(outstanding(&house), "30.00");
    let letters = house.json(&["dead-letters", "list"]);
    let letters = letters.as_array().unwrap();
    assert_eq!((letters.len(), &letters[0]["reason"]), (1, &json!("fault")), "{letters:?}");
    served.stop();
}

#[test]
fn a_store_that_goes_and_comes_again_loses_nothing_and_ends_no_server() {
    let store = postgres::server::Server::own();
    let house = Installation::new();
    let topics = Topics::new(&house);
    keep_with_kafka(&house, &topics, &store.database());
    let served = house.serve();
    topics.send_all(&(0..20).map(good).collect::<Vec<_>>());
    topics.drained(&house);
    store.ask("stop");
    topics.send_all(&(20..60).map(good).collect::<Vec<_>>());
    eventually("the outage is told", || {
        house.log().contains("they wait and are tried again").then_some(())
    });
    assert!(topics.lag() > Some(0), "nothing is committed that is not durable");
    store.ask("start");
    topics.drained(&house);
    assert_eq!(outstanding(&house), "60.00");
    assert_eq!(house.json(&["dead-letters", "list"]), json!([]));
    served.stop();
}

#[test]
fn a_broker_that_goes_and_comes_again_is_waited_for() {
    let Some(broker) = server::own("a_broker_that_goes_and_comes_again_is_waited_for") else {
        return;
    };
    let address = broker.ask("address");
    let topics = Topics::named(&address);
    let house = Installation::new();
    house.settings(&json!({ "kafka": topics.settings() }));
    house.run(&["topics", "create"]).well();
    // Nobody there at the start: the rest of the server works.
    broker.ask("stop");
    let served = house.serve();
    served.accept(&[good(0)]);
    broker.ask("start");
    topics.send_all(&[good(1)]);
    topics.drained(&house);
    broker.ask("kill");
    served.accept(&[good(2)]);
    broker.ask("start");
    topics.send_all(&[good(3)]);
    topics.drained(&house);
    assert_eq!(outstanding(&house), "4.00");
    let database = house.count("SELECT count(*) FROM events");
    eventually("every event of the log is on its topic", || {
        (topics.read("kulanz.accounts").len() as i64 >= database).then_some(())
    });
    served.stop();
}

#[test]
fn a_server_that_is_killed_again_and_again_takes_each_event_once_in_any_order() {
    let mut dice = Dice::new("killed servers with Kafka");
    let (house, topics) = installation(false);
    let events = history(&mut dice);
    let mut sent = 0;
    for round in 0..4 {
        let served = house.serve();
        let recorded = house.count("SELECT count(*) FROM events");
        let upto = events.len() * (round + 1) / 4;
        topics.send_all(&events[sent..upto]);
        // Some of them once more.
        topics.send_all(&events[dice.below(upto as u64) as usize..upto]);
        sent = upto;
        // The group notices after a while that the one before is dead.
        eventually("events are recorded again", || {
            (house.count("SELECT count(*) FROM events") > recorded).then_some(())
        });
        std::thread::sleep(Duration::from_millis(dice.below(700)));
        served.kill();
    }
    let served = house.serve();
    topics.drained(&house);
    let (principal, paid) = sums(&events);
    let book = house.json(&["book"]);
    assert_eq!(book["events"], json!(events.len()));
    assert_eq!(book["currencies"]["EUR"]["principal"], principal.to_string());
    assert_eq!(book["currencies"]["EUR"]["paid"], paid.to_string());
    assert_eq!(house.json(&["dead-letters", "list"]), json!([]));
    super::outbound::tells_the_log(&house, &topics);
    served.stop();
}

#[test]
fn partitions_that_go_to_another_member_and_come_back_lose_nothing() {
    // The mock does not share out again what a member leaves behind.
    if !server::is_real("partitions_that_go_to_another_member_and_come_back_lose_nothing") {
        return;
    }
    let (house, topics) = installation(false);
    let served = house.serve();
    let stop = Arc::new(AtomicBool::new(false));
    // A member that takes its share and records nothing of it.
    let other: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &topics.address)
        .set("group.id", topics.settings()["group"].as_str().unwrap())
        .set("partition.assignment.strategy", "range")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    let names: Vec<String> = INBOUND.iter().map(|name| topics.full(name)).collect();
    other.subscribe(&names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let told = Arc::clone(&stop);
    let (joined, wait) = std::sync::mpsc::channel();
    let member = std::thread::spawn(move || {
        let mut had = false;
        while !told.load(Ordering::Relaxed) {
            let _ = other.poll(Duration::from_millis(50));
            if !had && other.assignment().is_ok_and(|partitions| partitions.count() > 0) {
                had = true;
                joined.send(()).unwrap();
            }
        }
    });
    let mut number = 0;
    eventually("the other one has partitions", || {
        topics.send_all(&[good(number)]);
        number += 1;
        wait.try_recv().ok()
    });
    topics.send_all(&(number..number + 50).map(good).collect::<Vec<_>>());
    stop.store(true, Ordering::Relaxed);
    member.join().unwrap();
    topics.drained(&house);
    assert_eq!(outstanding(&house), format!("{}.00", number + 50));
    served.stop();
}

#[test]
fn facts_of_an_account_meet_in_one_partition_of_every_topic() {
    let (_house, topics) = installation(false);
    let events = [
        invoice("atelier/K-77", "R-1", "1.00", "2026-03-15"),
        payment("atelier/K-77", "P-1", "1.00", "2026-03-16", "R-1"),
        event(
            "hold.placed",
            "H-1",
            "atelier/K-77",
            "2026-03-16T10:00:00Z",
            json!({ "hold": "H-1", "reason": "called", "owner": "ada" }),
        ),
    ];
    topics.send_all(&events);
    let places: Vec<i32> =
        events.iter().map(|event| topics.read(topic_of(event))[0].partition).collect();
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
}
