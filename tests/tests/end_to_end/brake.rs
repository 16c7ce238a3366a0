use std::fs;

use serde_json::{Value, json};

use super::{
    delivery::{overdue, states},
    events::{day, payment},
    http::JSON,
    processes::MailServer,
    world::{Installation, Server, eventually},
};

/// An installation whose policy stops after so many messages an hour.
fn with_brake(per_hour: u32) -> Installation {
    let house = Installation::new();
    let file = house.config().join("policies/atelier-private/policy.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\nbrake: {{ per_hour: {per_hour} }}\n")).unwrap();
    house
}

fn accounts(from: u32, count: u32) -> Vec<String> {
    (from..from + count).map(|number| format!("atelier/K-{number}")).collect()
}

fn post(server: &Server, accounts: &[String]) {
    for account in accounts {
        let email = format!("{}@example.org", account.replace('/', "-").to_lowercase());
        server.accept(&overdue(account, "email", &email, "+447700900001"));
    }
}

/// How many of these accounts' messages are in a state.
fn count(house: &Installation, accounts: &[String], state: &str) -> usize {
    accounts.iter().flat_map(|account| states(house, account)).filter(|one| one == state).count()
}

fn brake(house: &Installation) -> Value {
    let all = house.json(&["brake"]);
    let found = all.as_array().unwrap().iter().find(|one| one["creditor"] == "atelier");
    found.expect("the creditor").clone()
}

#[track_caller]
fn comes_to(house: &Installation, accounts: &[String], expected: [(&str, usize); 2]) {
    let what = format!("messages come to {expected:?}; log:\n{}", house.log());
    eventually(&what, || {
        let is = |(state, messages): (&str, usize)| count(house, accounts, state) == messages;
        expected.into_iter().all(is).then_some(())
    });
}

#[test]
fn a_flood_stops_waits_over_a_crash_and_leaves_when_a_person_says_so() {
    let (house, mail) = (with_brake(3), MailServer::start());
    house.settings(&json!({ "smtp": mail.settings() }));
    let server = house.serve();
    let all = accounts(1, 8);
    post(&server, &all);
    comes_to(&house, &all, [("sent", 3), ("queued", 5)]);
    eventually("the brake is pulled", || brake(&house)["pulled"].is_object().then_some(()));

    // A person sees it in every place where one looks.
    let seen = brake(&house);
    assert_eq!(seen["pulled"]["by"], json!({ "limit": "per_hour", "allowed": 3, "used": 3 }));
    assert_eq!((&seen["waiting"], &seen["limits"]), (&json!(5), &json!({ "per_hour": 3 })));
    let told = house.run(&["brake"]).well().out;
    assert!(told.contains("PULLED since") && told.contains("5 messages wait"), "{told}");
    let work = house.run(&["work"]).well().out;
    assert!(work.contains("per_hour: 3 was reached; 5 messages wait"), "{work}");
    let doctor = house.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("atelier is pulled since"), "{doctor:?}");
    let listed = house.json(&["brake", "list", "atelier"]);
    let listed = listed.as_array().unwrap();
    let waiting: Vec<String> =
        listed.iter().map(|row| row["account"].as_str().unwrap().to_owned()).collect();
    assert_eq!((waiting.len(), &listed[0]["step"]), (5, &json!("reminder")));
    assert!(listed.iter().all(|row| row["persona"].is_string() && row["since"].is_string()));
    let csv = house.run(&["brake", "list", "atelier", "--csv"]).well().out;
    assert!(csv.starts_with("account,notice,step,channel,persona,since,not_before\n"), "{csv}");
    assert_eq!(csv.lines().count(), 6);
    assert_eq!(house.log().matches("the brake is pulled").count(), 1);

    // Nothing of it is in memory alone.
    server.kill();
    let server = house.serve();
    house.run(&["brake", "release", "atelier", "--messages", "1", "--as", "ada"]).well();
    comes_to(&house, &all, [("sent", 4), ("queued", 4)]);

    // Whoever pays while it waits hears nothing.
    let payer = waiting.iter().find(|account| states(&house, account) == ["queued"]).unwrap();
    let (_, number) = payer.split_once('/').unwrap();
    server.accept(&[payment(payer, "P-1", "89.90", &day(0), &format!("R-{number}"))]);
    let said = house.run(&["brake", "release", "atelier", "--all", "--as", "ada"]).well().out;
    assert!(said.contains("4 messages wait and may leave"), "{said}");
    comes_to(&house, &all, [("sent", 7), ("suppressed", 1)]);
    assert_eq!(states(&house, payer), ["suppressed"]);
    assert_eq!(mail.messages().len(), 7);
    let seen = brake(&house);
    assert_eq!((&seen["pulled"], &seen["released"]["by"]), (&Value::Null, &json!("ada")));
    let doctor = house.run(&["doctor"]);
    assert!(doctor.out.contains("none is pulled"), "{doctor:?}");

    // What comes now is counted from nothing.
    let more = accounts(50, 5);
    post(&server, &more);
    comes_to(&house, &more, [("sent", 3), ("queued", 2)]);
    server.stop();
}

#[test]
fn discarded_messages_are_decided_again_by_the_policy_in_force() {
    let house = with_brake(2);
    let server = house.serve();
    let all = accounts(1, 5);
    post(&server, &all);
    comes_to(&house, &all, [("sent", 2), ("queued", 3)]);
    eventually("the brake is pulled", || brake(&house)["pulled"].is_object().then_some(()));
    let discard = ["brake", "discard", "atelier", "--as", "ada"];
    let with = |more: &[&str]| house.run(&[&discard[..], more].concat());
    assert!(with(&["--older-than", "1d"]).well().out.contains("0 messages discarded"));
    assert!(with(&["--step", "mahnung"]).well().out.contains("0 messages discarded"));
    assert_eq!(with(&[]).code, 2, "it has to be said which");
    assert!(with(&["--step", "reminder"]).well().out.contains("3 messages discarded"));
    comes_to(&house, &all, [("suppressed", 3), ("queued", 3)]);
    let account = all.iter().find(|account| states(&house, account).len() == 2).unwrap();
    let kinds = house.kinds(account);
    let notices: Vec<_> = kinds.iter().filter(|kind| kind.starts_with("Notice")).collect();
    assert_eq!(notices, ["NoticeDecided", "NoticeSuppressed", "NoticeDecided"]);
    assert_eq!(count(&house, &all, "sent"), 2);
    server.stop();
}

#[test]
fn who_may_not_release_is_told_and_nothing_happens() {
    let house = with_brake(1);
    let server = house.serve();
    let all = accounts(1, 2);
    post(&server, &all);
    eventually("the brake is pulled", || brake(&house)["pulled"].is_object().then_some(()));
    server.stop();
    let release = ["brake", "release", "atelier", "--all"];
    house.run(&release).refused(&["whose order is it?"]);
    house.run(&["brake", "release", "nobody", "--all", "--as", "ada"]).refused(&["is not pulled"]);
    house.run(&["brake", "list", "nobody"]).refused(&["no creditor nobody", "atelier"]);
    assert_eq!(house.run(&["brake", "release", "atelier", "--as", "ada"]).code, 2);
    let zero = ["brake", "release", "atelier", "--messages", "0", "--as", "ada"];
    house.run(&zero).refused(&["name 1 or more"]);
    let (reader, clerk) = (house.token("rob", "read", None), house.token("cleo", "clerk", None));
    let other = house.token("otto", "clerk", Some("kontor"));
    let server = house.serve();
    let by = |token: &str| house.run(&[&release[..], &["--token", token]].concat());
    by(&reader).refused(&["the token of rob is for `read`"]);
    by(&other).refused(&["the token of otto speaks for one creditor"]);
    assert!(brake(&house)["pulled"].is_object());
    by(&clerk).well();
    comes_to(&house, &all, [("sent", 2), ("queued", 0)]);
    server.stop();
}

/// As if the server had died, some minutes ago, before it kept its answers.
fn forget_answers(house: &Installation) {
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    let before = "UPDATE requests SET answer = NULL, begun_at = begun_at - 180000000";
    assert_eq!(database.execute(before, []).unwrap(), 1);
}

#[test]
fn an_order_whose_server_died_is_gone_on_with_and_does_nothing_twice() {
    let house = with_brake(1);
    let server = house.serve();
    let all = accounts(1, 5);
    post(&server, &all);
    comes_to(&house, &all, [("sent", 1), ("queued", 4)]);
    eventually("the brake is pulled", || brake(&house)["pulled"].is_object().then_some(()));
    let give = |server: &Server, key: &str, order: &Value| {
        let headers = [JSON, ("Idempotency-Key", key)];
        let answer = server.post("/v1/orders", &headers, order.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["said"].clone()
    };
    let one = json!({ "order": "release_brake", "creditor": "atelier", "messages": 1 });
    let first = give(&server, "release", &one);
    comes_to(&house, &all, [("sent", 2), ("queued", 3)]);
    server.kill();
    forget_answers(&house);
    let server = house.serve();
    assert_eq!(give(&server, "release", &one), first);
    let seen = brake(&house);
    assert_eq!(seen["pulled"]["let_through"]["messages"], 1, "{seen}");
    assert_eq!(seen["may_leave"], 0, "{seen}");
    server.kill();
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    database.execute("DELETE FROM requests", []).unwrap();
    drop(database);

    // What is decided again after messages were discarded is not discarded by the same order.
    let server = house.serve();
    let discard = json!({ "order": "discard_braked", "creditor": "atelier" });
    let first = give(&server, "discard", &discard);
    assert!(first[0].as_str().unwrap().starts_with("3 messages discarded"), "{first}");
    comes_to(&house, &all, [("suppressed", 3), ("queued", 3)]);
    server.kill();
    forget_answers(&house);
    // Its first request was some minutes ago, and so were the decisions after it.
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    database.execute("UPDATE requests SET begun_at = begun_at + 60000000", []).unwrap();
    drop(database);
    let server = house.serve();
    let again = give(&server, "discard", &discard);
    assert!(again[0].as_str().unwrap().starts_with("0 messages discarded"), "{again}");
    assert!(again[1].as_str().unwrap().contains("this order was cut off before"), "{again}");
    comes_to(&house, &all, [("suppressed", 3), ("queued", 3)]);
    server.stop();
}

/// What came after an order was first given is not meant, though the order could not be done then.
#[test]
fn an_order_that_ended_with_a_fault_is_gone_on_with_under_its_key() {
    let house = with_brake(1);
    let server = house.serve();
    let first = accounts(1, 5);
    post(&server, &first);
    comes_to(&house, &first, [("sent", 1), ("queued", 4)]);
    eventually("the brake is pulled", || brake(&house)["pulled"].is_object().then_some(()));
    let discard = json!({ "order": "discard_braked", "creditor": "atelier" }).to_string();
    let headers = [JSON, ("Idempotency-Key", "\"discard\"")];
    let give = || server.post("/v1/orders", &headers, discard.as_bytes());
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    let fault = "CREATE TRIGGER fault BEFORE INSERT ON events WHEN NEW.kind = 'NoticeSuppressed'
                 BEGIN SELECT RAISE(ABORT, 'a fault'); END";
    database.execute(fault, []).unwrap();
    assert_eq!(give().problem(503)["type"], "urn:kulanz:problem:fault");
    let later = accounts(50, 2);
    post(&server, &later);
    comes_to(&house, &later, [("sent", 0), ("queued", 2)]);
    database.execute("DROP TRIGGER fault", []).unwrap();
    let answer = give();
    assert_eq!(answer.status, 200, "{answer:?}");
    let said = answer.json()["said"].clone();
    assert!(said[0].as_str().unwrap().starts_with("4 messages discarded"), "{said}");
    assert!(said[1].as_str().unwrap().contains("this order was cut off before"), "{said}");
    comes_to(&house, &later, [("suppressed", 0), ("queued", 2)]);
    assert_eq!(give().body, answer.body);
    server.stop();
}
