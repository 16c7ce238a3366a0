//! Several servers on one PostgreSQL database, killed again and again. The seed is printed;
//! KULANZ_SEED=… plays it again (the points themselves are times).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    delivery::overdue,
    events::{day, invoice, payment},
    http::{self, NDJSON},
    postgres::server,
    processes::SmsServer,
    world::{Dice, Installation, Server, lines},
};

const SERVERS: usize = 3;
const ROUNDS: usize = 8;
const ACCOUNTS: usize = 120;

/// Installations with folders of their own, on one database; the master key is the first one's.
pub fn houses(url: &str, sms: &SmsServer) -> Vec<Installation> {
    let (before, place) = url.rsplit_once('@').unwrap();
    let (user, password) = before.rsplit_once(':').unwrap();
    let houses: Vec<_> = (0..SERVERS).map(|_| Installation::new()).collect();
    let key = houses[0].data().join("master.key");
    for house in &houses {
        let file = house.file("password", format!("{password}\n"));
        house.settings(&json!({
            "database": format!("{user}@{place}"),
            "database_password": { "file": file },
            "master_key_file": key,
            "sms": sms.settings(),
        }));
    }
    houses
}

/// Accounts that are overdue, some of which pay, some late, in a random order.
fn history(dice: &mut Dice) -> Vec<Value> {
    let mut events = Vec::new();
    for number in 0..ACCOUNTS {
        let account = format!("atelier/K-{number}");
        let mobile = format!("+4477009{number:05}");
        events.extend(overdue(&account, "sms", "x@example.org", &mobile));
        let cents = |dice: &mut Dice| format!("{}.{:02}", 1 + dice.below(80), dice.below(100));
        if dice.below(2) == 0 {
            let (claim, amount) = (format!("S-{number}"), cents(dice));
            events.push(invoice(&account, &claim, &amount, &day(-9)));
        }
        if dice.below(3) == 0 {
            let claim = format!("R-K-{number}");
            events.push(payment(&account, &format!("P-{number}"), &cents(dice), &day(-1), &claim));
        }
    }
    for at in (1..events.len()).rev() {
        events.swap(at, dice.below(at as u64 + 1) as usize);
    }
    events
}

/// Principal and payments, summed up from the events alone.
fn sums(events: &[Value]) -> (Decimal, Decimal) {
    let of = |kind: &str| -> Decimal {
        let kind = format!("kulanz.{kind}.v1");
        let chosen = events.iter().filter(|event| event["type"] == kind);
        chosen
            .map(|event| event["data"]["amount"].as_str().unwrap().parse::<Decimal>().unwrap())
            .sum()
    };
    (of("invoice.issued"), of("payment.received"))
}

/// What posting came to.
#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    duplicates: AtomicUsize,
    /// Servers that did not answer, or had no database.
    again: AtomicUsize,
}

/// Posts a part until some server has taken all of it.
fn post(part: &[Value], addresses: &Mutex<Vec<String>>, dice: &Mutex<Dice>, counts: &Counts) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < deadline, "no server takes {part:?}");
        let which = dice.lock().unwrap().below(SERVERS as u64) as usize;
        let address = addresses.lock().unwrap()[which].clone();
        let answer =
            http::request(&address, "POST", "/v1/events", &[NDJSON], lines(part).as_bytes());
        let Ok(answer) = answer else {
            counts.again.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        if answer.status != 202 {
            assert_eq!(answer.status, 503, "{answer:?}");
            counts.again.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        for receipt in answer.json()["receipts"].as_array().unwrap() {
            let count = match receipt["status"].as_str() {
                Some("accepted") => &counts.accepted,
                Some("duplicate") => &counts.duplicates,
                _ => panic!("{receipt}"),
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
        return;
    }
}

#[test]
fn instances_that_are_killed_again_and_again_lose_nothing_and_tell_nobody_twice() {
    let mut dice = Dice::new("killed instances");
    let (postgres, sms) = (server::Server::own(), SmsServer::start());
    let houses = houses(&postgres.database(), &sms);
    let events = history(&mut dice);
    // Each event comes twice, to whatever server.
    let parts: Vec<&[Value]> = events.chunks(3).chain(events.chunks(4)).collect();
    let mut servers: Vec<Option<Server>> = houses.iter().map(|house| Some(house.serve())).collect();
    let address = |server: &Option<Server>| server.as_ref().unwrap().address.clone();
    let addresses = Mutex::new(servers.iter().map(address).collect::<Vec<_>>());
    let (counts, posting) = (Counts::default(), Mutex::new(Dice::new("posts")));
    let begun = Instant::now();
    for (round, parts) in parts.chunks(parts.len().div_ceil(ROUNDS)).enumerate() {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                        post(part, &addresses, &posting, &counts);
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(dice.below(1_000)));
            let which = dice.below(SERVERS as u64) as usize;
            servers[which].take().unwrap().kill();
            if round == ROUNDS / 2 {
                postgres.ask("stop");
                postgres.ask("start");
            }
            let again = houses[which].serve();
            addresses.lock().unwrap()[which] = again.address.clone();
            servers[which] = Some(again);
        });
    }
    let posted = begun.elapsed();
    let house = &houses[0];
    let left = states(house);
    // What killed servers had claimed is theirs for a minute.
    let deadline = Instant::now() + Duration::from_secs(150);
    let rows = loop {
        let rows = states(house);
        let open = |state: &str| rows.values().filter(|row| *row == state).count();
        if open("queued") + open("sending") == 0 && accounts_told(house) == ACCOUNTS {
            break rows;
        }
        assert!(Instant::now() < deadline, "messages stay on their way: {rows:?}");
        std::thread::sleep(Duration::from_millis(500));
    };
    servers.into_iter().flatten().for_each(Server::stop);

    let (principal, paid) = sums(&events);
    let book = house.json(&["book"]);
    assert_eq!(book["events"], json!(events.len()));
    assert_eq!(book["accounts"], json!(ACCOUNTS));
    assert_eq!(book["currencies"]["EUR"]["principal"], principal.to_string());
    assert_eq!(book["currencies"]["EUR"]["paid"], paid.to_string());
    let accepted = counts.accepted.load(Ordering::Relaxed);
    assert!(accepted <= events.len(), "{accepted} of {} were accepted", events.len());
    let taken = sms.taken();
    let sent: BTreeSet<&String> =
        rows.iter().filter(|(_, state)| *state == "sent").map(|(notice, _)| notice).collect();
    let keys: BTreeSet<String> =
        taken.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect();
    // What the gateway took is known as sent. Where the account had paid by the time that somebody
    // looked at a killed server's message, nobody can say; then a person is asked.
    let of = |state: &'static str| rows.iter().filter(move |row| row.1 == state).map(|row| row.0);
    let told: BTreeSet<&String> = sent.iter().copied().chain(of("unknown")).collect();
    let keys_taken: BTreeSet<&String> = keys.iter().collect();
    assert!(sent.is_subset(&keys_taken), "sent, and taken by the gateway");
    let denied: Vec<_> = keys_taken.difference(&told).collect();
    assert!(denied.is_empty(), "taken by the gateway, and told as not sent: {denied:?}");
    assert_eq!(taken.len(), keys.len(), "a message was taken twice");
    for number in (0..ACCOUNTS).step_by(6) {
        told_once(house, &format!("atelier/K-{number}"));
    }
    let work = house.json(&["work"]);
    assert_eq!(house.json(&["rebuild"])["wrong_snapshots"], json!([]));
    assert_eq!((house.json(&["book"]), house.json(&["work"])), (book, work), "after a rebuild");
    house.run(&["doctor"]).well();
    let repeated = taken.iter().filter(|row| row["requests"] != 1).count();
    let stuck = left.values().filter(|state| *state == "sending").count();
    println!(
        "{} events in {} posts over {posted:?}, {} killed, {accepted} accepted, {} duplicates, {} \
         posts again; {} messages, {} sent, {repeated} asked for again under the same key; {stuck} \
         were on their way when the posting ended; conflicts in the log: {}",
        events.len(),
        parts.len(),
        ROUNDS,
        counts.duplicates.load(Ordering::Relaxed),
        counts.again.load(Ordering::Relaxed),
        rows.len(),
        sent.len(),
        houses
            .iter()
            .map(|house| house.log().matches("another instance was faster").count())
            .sum::<usize>(),
    );
}

/// The states of all messages.
fn states(house: &Installation) -> BTreeMap<String, String> {
    let rows = house.json(&["outbox", "list"]);
    let rows = rows.as_array().unwrap().iter();
    let text = |row: &Value, member: &str| row[member].as_str().unwrap().to_owned();
    rows.map(|row| (text(row, "notice"), text(row, "state"))).collect()
}

/// How many accounts have a message.
fn accounts_told(house: &Installation) -> usize {
    let rows = house.json(&["outbox", "list"]);
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["account"].to_string()).collect::<BTreeSet<_>>().len()
}

/// The versions of an account follow each other, no fact is there twice, no claim was told of a
/// step twice.
fn told_once(house: &Installation, account: &str) {
    let timeline = house.json(&["account", "timeline", account]);
    let (mut facts, mut decided, mut told) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
    for row in timeline.as_array().unwrap() {
        let kind = row["kind"].as_str().unwrap();
        let event = &row["event"][kind];
        match kind {
            "InvoiceIssued" | "PaymentReceived" | "DebtorUpdated" => {
                let cause = row["cause"].as_str().unwrap().to_owned();
                assert!(facts.insert((kind.to_owned(), cause)), "twice on {account}: {row}");
            }
            "NoticeDecided" => drop(decided.insert(event["notice"].to_string(), event.clone())),
            "NoticeSent" => {
                let notice = &decided[&event["notice"].to_string()];
                for claim in notice["claims"].as_array().unwrap() {
                    let step = (claim["invoice"].to_string(), notice["step"].to_string());
                    assert!(told.insert(step), "told twice: {account}: {row}");
                }
            }
            _ => {}
        }
    }
    assert!(!told.is_empty(), "{timeline}");
}

#[test]
fn what_instances_have_to_have_in_common_is_looked_at_when_they_start() {
    let sms = SmsServer::start();
    let houses = houses(&server::database(), &sms);
    let first = houses[0].serve();
    first.accept(&overdue("atelier/K-1", "sms", "x@example.org", "+447700900001"));
    // Another key opens nothing of it.
    let other = houses[1].file("other.key", "ab".repeat(32));
    let stranger = |house: &Installation| {
        let text = std::fs::read_to_string(house.config().join("kulanz.yaml")).unwrap();
        let mut settings: Value = serde_json::from_str(&text).unwrap();
        settings["master_key_file"] = json!(other);
        settings
    };
    let settings = std::fs::read_to_string(houses[1].config().join("kulanz.yaml")).unwrap();
    houses[1].settings(&stranger(&houses[1]));
    let refused = houses[1].run(&["serve", "--listen", "127.0.0.1:0"]);
    refused.refused(&["other.key is not the master key of these data", "Copy the file"]);
    let doctor = houses[1].run(&["doctor"]);
    assert!(doctor.out.contains("WRONG  master key"), "{}", doctor.out);
    std::fs::write(houses[1].config().join("kulanz.yaml"), settings).unwrap();

    // What needs the data for itself is refused while servers are there; tokens and orders are not.
    houses[1].run(&["rebuild"]).refused(&["is in use", "another `kulanz`"]);
    houses[1].run(&["account", "hold", "atelier/K-1", "--reason", "called", "--as", "ada"]).well();
    assert!(houses[0].kinds("atelier/K-1").contains(&"HoldPlaced".to_owned()));

    // Where rules differ, the last one that starts decides, and the others say what to do.
    let policy = houses[1].config().join("policies/atelier-private/policy.yaml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text.replace("version: 1", "version: 2")).unwrap();
    let second = houses[1].serve();
    super::world::eventually("the first one says that it has to be started anew", || {
        houses[0].log().contains("Bring its files up to date and start it anew").then_some(())
    });
    first.accept(&overdue("atelier/K-2", "sms", "x@example.org", "+447700900002"));
    super::world::eventually("the second one decides", || {
        (states(&houses[1]).len() == 2).then_some(())
    });
    // A folder that is behind brings nothing back.
    first.stop();
    let refused = houses[0].run(&["serve", "--listen", "127.0.0.1:0"]);
    refused.refused(&["has version 1 of atelier-private, and version 2 is in force"]);
    second.stop();
}
