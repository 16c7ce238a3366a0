//! Commands with an idempotency key, of which servers die or which two servers get at once. Each is
//! done once, and all who ask hear the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::{Command, Stdio},
    sync::Mutex,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    events::invoice,
    faults::sql::{PSQL, number, rows},
    http::{self, Answer, JSON},
    instances::houses,
    postgres::{keep_in, server},
    processes::SmsServer,
    world::{Dice, Installation, Server, eventually},
};

const ACCOUNTS: usize = 4;

fn account(number: usize) -> String {
    format!("atelier/K-{}", number % ACCOUNTS)
}

/// Invoices that are not due yet, one an account.
fn bills() -> Vec<Value> {
    let bill = |number| invoice(&account(number), &format!("R-{number}"), "10.00", "2036-01-01");
    (0..ACCOUNTS).map(bill).collect()
}

/// The command of a key: a hold; of every fifth one a paylink.
fn command(number: usize) -> (String, Value) {
    match number % 5 {
        0 => (format!("/v1/accounts/{}/paylinks", account(number)), json!({})),
        _ => {
            let hold = json!({ "order": "hold", "account": account(number), "reason": "called" });
            ("/v1/orders".to_owned(), hold)
        }
    }
}

fn ask(address: &str, number: usize) -> std::io::Result<Answer> {
    let (path, body) = command(number);
    let key = format!("\"key-{number}\"");
    let headers = [JSON, ("Idempotency-Key", key.as_str())];
    http::request(address, "POST", &path, &headers, body.to_string().as_bytes())
}

#[track_caller]
fn well(number: usize, answer: &Answer) {
    let wanted = if number.is_multiple_of(5) { 201 } else { 200 };
    assert_eq!(answer.status, wanted, "{number}: {answer:?}");
}

/// Each of these keys led to one hold or one paylink, and to the one that was answered.
fn each_is_done_once(house: &Installation, server: &Server, answers: &BTreeMap<usize, String>) {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, body) in answers {
        let body: Value = serde_json::from_str(body).unwrap();
        if key.is_multiple_of(5) {
            let token = body["url"].as_str().unwrap().rsplit_once("/p/").unwrap().1;
            assert_eq!(server.get(&format!("/p/{token}")).status, 200, "{key}");
            continue;
        }
        assert_eq!(body["events"], json!(["HoldPlaced"]), "{key}: {body}");
        let said = body["said"][0].as_str().unwrap();
        let hold = said.rsplit_once("; hold ").unwrap().1;
        assert!(told.entry(account(*key)).or_default().insert(hold.to_owned()), "{hold} twice");
    }
    for (account, told) in told {
        let placed = house.kinds(&account).iter().filter(|kind| *kind == "HoldPlaced").count();
        assert_eq!(placed, told.len(), "{account}");
        let shown = server.get(&format!("/v1/accounts/{account}")).json();
        let there = shown["holds"].as_array().unwrap().iter();
        let there: BTreeSet<String> =
            there.map(|hold| hold["hold"].as_str().unwrap().to_owned()).collect();
        assert_eq!(there, told, "{account}");
    }
}

#[test]
fn a_command_whose_server_was_killed_is_done_and_answered_or_neither() {
    let mut dice = Dice::new("killed commands");
    let house = Installation::new();
    let mut server = house.serve();
    server.accept(&bills());
    let mut all: BTreeMap<usize, String> = BTreeMap::new();
    let (mut unanswered, mut had_effect) = (0, 0);
    for round in 0..8 {
        let keys: Vec<usize> = (round * 64..(round + 1) * 64).collect();
        let address = server.address.clone();
        let before = Mutex::new(BTreeMap::new());
        let enough = dice.below(40) as usize;
        std::thread::scope(|scope| {
            for part in keys.chunks(keys.len() / 8) {
                let (address, before) = (&address, &before);
                scope.spawn(move || {
                    for key in part {
                        let Ok(answer) = ask(address, *key) else { return };
                        well(*key, &answer);
                        before.lock().unwrap().insert(*key, answer.body);
                    }
                });
            }
            until(&before, enough, BTreeMap::len);
            server.kill();
        });
        server = house.serve();
        let before = before.into_inner().unwrap();
        unanswered += keys.len() - before.len();
        for key in keys {
            let answer = ask(&server.address, key).unwrap();
            well(key, &answer);
            let again = answer.header("idempotency-replayed") == Some("true");
            match before.get(&key) {
                Some(body) => assert_eq!((body, again), (&answer.body, true), "{key}"),
                None => had_effect += usize::from(again),
            }
            all.insert(key, answer.body);
        }
    }
    println!("{unanswered} of {} without an answer, {had_effect} of them done", all.len());
    assert!(unanswered > 100, "nothing was under way when it was killed");
    each_is_done_once(&house, &server, &all);
    let kept = "SELECT count(*) FROM requests WHERE answer IS NOT NULL";
    assert_eq!(house.count(kept), all.len() as i64);
}

/// Waits for so many answers; whatever else is under way then is in the midst of it.
fn until<T>(answers: &Mutex<T>, enough: usize, count: impl Fn(&T) -> usize) {
    eventually("there are answers", || (count(&answers.lock().unwrap()) >= enough).then_some(()));
}

/// How a key without a token is called in the database.
fn name_of(key: &str) -> String {
    let mut hash = Sha256::new();
    for part in [&[0; 32][..], key.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_server_that_is_killed_while_it_keeps_a_key_leaves_nothing_of_the_command() {
    let house = Installation::new();
    let url = server::database();
    keep_in(&house, &url);
    let served = house.serve();
    served.accept(&bills());
    // Somebody holds the place of the key, so that the command stands still on the way to it: its
    // events are written by then, and not committed.
    let mut psql = Command::new(&*PSQL)
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", &url])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut say = psql.stdin.take().unwrap();
    writeln!(
        say,
        "BEGIN; INSERT INTO kulanz.requests VALUES ('\\x{}', '\\x00', now(), NULL);",
        name_of("key-1")
    )
    .unwrap();
    let held = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' \
                AND datname = current_database() AND application_name = 'psql'";
    eventually("the place is held", || (number(&url, held) == 1).then_some(()));
    let address = served.address.clone();
    let asking = std::thread::spawn(move || ask(&address, 1));
    let stands = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted \
                  AND datname = current_database() AND application_name = 'kulanz'";
    eventually("the command waits for its key", || (number(&url, stands) == 1).then_some(()));
    served.kill();
    assert!(asking.join().unwrap().is_err(), "nobody was answered");
    writeln!(say, "ROLLBACK;").unwrap();
    drop(say);
    assert!(psql.wait().unwrap().success());
    let holds = "SELECT count(*) FROM kulanz.events WHERE kind = 'HoldPlaced'";
    let kept = "SELECT count(*) FROM kulanz.requests";
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name = 'kulanz'";
    eventually("its connections are gone", || (number(&url, sessions) == 0).then_some(()));
    assert_eq!((number(&url, holds), number(&url, kept)), (0, 0));
    let served = house.serve();
    let first = ask(&served.address, 1).unwrap();
    well(1, &first);
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!((number(&url, holds), number(&url, kept)), (1, 1));
    assert_eq!(ask(&served.address, 1).unwrap().body, first.body);
    assert_eq!(number(&url, holds), 1);
}

type Answers = Vec<(usize, Answer)>;

/// Asks for each key twice at each of two servers, all at once, while `meanwhile` happens; what was
/// answered, and how often nobody answered.
fn ask_both(
    addresses: [&str; 2],
    keys: std::ops::Range<usize>,
    meanwhile: impl FnOnce(&Mutex<Answers>),
) -> (Answers, usize) {
    let (answers, unanswered) = (Mutex::new(Vec::new()), Mutex::new(0));
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let (answers, unanswered) = (&answers, &unanswered);
            let mut keys: Vec<usize> = keys.clone().collect();
            // In other orders, and near each other, so that they meet.
            keys.chunks_mut(4).for_each(|part| part.rotate_left(caller % part.len()));
            scope.spawn(move || {
                for key in keys {
                    match ask(addresses[caller % 2], key) {
                        Ok(answer) => answers.lock().unwrap().push((key, answer)),
                        Err(_) => *unanswered.lock().unwrap() += 1,
                    }
                }
            });
        }
        meanwhile(&answers);
    });
    (answers.into_inner().unwrap(), unanswered.into_inner().unwrap())
}

#[test]
fn two_servers_that_get_a_command_at_once_do_it_once_and_say_the_same() {
    let mut dice = Dice::new("keys at two servers");
    let sms = SmsServer::start();
    let url = server::database();
    let houses = houses(&url, &sms);
    let (first, second) = (houses[0].serve(), houses[1].serve());
    first.accept(&bills());
    let mut told: BTreeMap<usize, String> = BTreeMap::new();
    let mut first_said: BTreeMap<usize, usize> = BTreeMap::new();
    let mut hear = |all: Answers| {
        for (key, answer) in all {
            well(key, &answer);
            let new = answer.header("idempotency-replayed").is_none();
            *first_said.entry(key).or_default() += usize::from(new);
            let one = told.entry(key).or_insert_with(|| answer.body.clone());
            assert_eq!(*one, answer.body, "{key}");
        }
    };
    let addresses = [first.address.as_str(), second.address.as_str()];
    let (all, unanswered) = ask_both(addresses, 0..60, |_| {});
    assert_eq!((all.len(), unanswered), (240, 0));
    hear(all);
    // The same while one of them dies; the other one is asked again for all.
    let address = first.address.clone();
    let enough = 20 + dice.below(120) as usize;
    let (all, unanswered) = ask_both([&address, &second.address], 60..120, |answers| {
        until(answers, enough, Vec::len);
        first.kill();
    });
    println!("{unanswered} of 240 without an answer");
    assert!(unanswered > 0, "it died too late");
    hear(all);
    let all: Vec<_> = (0..120).map(|key| (key, ask(&second.address, key).unwrap())).collect();
    hear(all);
    assert!((0..60).all(|key| first_said[&key] == 1), "one is the first, all others hear of it");
    assert!(first_said.values().all(|count| *count <= 1));
    each_is_done_once(&houses[1], &second, &told);
    assert_eq!(number(&url, "SELECT count(*) FROM kulanz.requests"), 120);
}

/// Closes the dead letters that three broken events become; the second one cannot be closed at first.
fn half_discarded(house: &Installation, execute: impl Fn(&str), [fault, mended]: [&str; 2]) {
    house.import(&house.file("wrong.ndjson", "1\n2\n3\n"));
    let server = house.serve();
    let discard = json!({ "order": "discard_dead_letters", "numbers": [1, 2, 3] }).to_string();
    let headers = [JSON, ("Idempotency-Key", "\"discard\"")];
    let give = || server.post("/v1/orders", &headers, discard.as_bytes());
    execute(fault);
    assert_eq!(give().problem(503)["type"], "urn:kulanz:problem:fault");
    let open = || house.json(&["dead-letters", "list"]).as_array().unwrap().len();
    assert_eq!(open(), 2, "a part is done");
    execute(mended);
    let answer = give();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["said"], json!(["3 dead letters discarded"]));
    assert_eq!(open(), 0);
    let again = give();
    assert_eq!((&again.body, again.header("idempotency-replayed")), (&answer.body, Some("true")));
    server.stop();
}

#[test]
fn an_order_of_which_a_part_was_done_before_a_fault_is_gone_on_with_at_once() {
    let house = Installation::new();
    let execute = |sql: &str| {
        let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
        database.execute(sql, []).unwrap();
    };
    let fault = "CREATE TRIGGER fault BEFORE UPDATE ON dead_letters WHEN NEW.number = 2
                 BEGIN SELECT RAISE(ABORT, 'a fault'); END";
    half_discarded(&house, execute, [fault, "DROP TRIGGER fault"]);

    let (house, url) = (Installation::new(), server::database());
    keep_in(&house, &url);
    let fault = "ALTER TABLE kulanz.dead_letters ADD CONSTRAINT fault
                 CHECK (number <> 2 OR open)";
    let mended = "ALTER TABLE kulanz.dead_letters DROP CONSTRAINT fault";
    half_discarded(&house, |sql| drop(rows(&url, sql)), [fault, mended]);
}

#[test]
fn who_asks_for_an_order_that_another_server_may_work_on_is_told_when_to_ask_again() {
    let (house, url) = (Installation::new(), server::database());
    keep_in(&house, &url);
    let server = house.serve();
    let retry = json!({ "order": "retry_dead_letters" }).to_string();
    let headers = [JSON, ("Idempotency-Key", "\"one\"")];
    let give = || server.post("/v1/orders", &headers, retry.as_bytes());
    let first = give();
    assert_eq!(first.status, 200);
    let begun = |seconds: u32| {
        let sql = format!(
            "UPDATE kulanz.requests SET answer = NULL, begun_at = now() - interval '{seconds} s'"
        );
        rows(&url, &sql);
    };
    // As long as it took, and no later than it is known that its server has died.
    for (seconds, expected) in [(40, 40..=45), (100, 10..=20)] {
        begun(seconds);
        let answer = give();
        assert_eq!(answer.problem(409)["type"], "urn:kulanz:problem:idempotency_in_flight");
        let after: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!(expected.contains(&after), "{after} after {seconds}");
    }
    begun(121);
    let again = give();
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotency-replayed"), None);
    server.stop();
}
