//! What two servers on one database do for each other: webhooks while one of them is killed, and a
//! brake that is one for both.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    delivery::{overdue, states},
    events::invoice,
    instances::houses,
    postgres::server,
    processes::SmsServer,
    receiver::{Receiver, Request},
    world::{Installation, Server, eventually},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// A lease on the work for an endpoint lasts for half a minute; another instance looks every 5 s.
const TAKEN_OVER: Duration = Duration::from_secs(90);

/// The settings of an installation, with more.
fn with(house: &Installation, name: &str, value: Value) {
    let text = fs::read_to_string(house.config().join("kulanz.yaml")).unwrap();
    let mut settings: Value = serde_json::from_str(&text).unwrap();
    settings[name] = value;
    house.settings(&settings);
}

fn position(request: &Request) -> u64 {
    request.json()["id"].as_str().unwrap().parse().unwrap()
}

/// Positions of all that happened to these accounts.
fn happened(server: &Server, accounts: &[String]) -> BTreeSet<u64> {
    let mut positions = BTreeSet::new();
    for account in accounts {
        let page = server.get(&format!("/v1/accounts/{account}/events?limit=500")).json();
        assert_eq!(page["next"], Value::Null, "one page has all");
        let events = page["events"].as_array().unwrap();
        positions.extend(
            events.iter().map(|event| -> u64 { event["id"].as_str().unwrap().parse().unwrap() }),
        );
    }
    positions
}

#[test]
fn a_webhook_hears_all_in_order_while_the_server_that_tells_it_is_killed() {
    let (sms, receiver) = (SmsServer::start(), Receiver::start());
    let houses = houses(&server::database(), &sms);
    for house in &houses {
        fs::write(house.config().join("secret"), format!("{SECRET}\n")).unwrap();
        let webhook = json!({ "name": "shop", "url": receiver.url, "secret_file": "secret",
                              "begin": "first" });
        with(house, "webhooks", json!([webhook]));
    }
    // Whoever is there alone tells it, and goes on to.
    let first = houses[0].serve();
    let accounts: Vec<String> = (0..40).map(|number| format!("atelier/K-{number}")).collect();
    let bill = |from: usize, count: usize| -> Vec<Value> {
        let of = |number: usize| {
            let account = &accounts[number % accounts.len()];
            invoice(account, &format!("R-{number}"), "10.00", "2036-01-01")
        };
        (from..from + count).map(of).collect()
    };
    first.accept(&bill(0, 1));
    eventually("the first one tells of it", || (!receiver.requests().is_empty()).then_some(()));
    let second = houses[1].serve();
    // Both take events; the first one dies with some of them told.
    first.accept(&bill(1, 200));
    second.accept(&bill(201, 200));
    eventually("it is in the midst of it", || (receiver.requests().len() > 30).then_some(()));
    first.kill();
    let before = receiver.requests().len();
    let known = happened(&second, &accounts);
    assert!(before < known.len(), "killed in the midst: {before} of {}", known.len());
    second.accept(&bill(401, 40));
    let wanted = happened(&second, &accounts);
    let begun = Instant::now();
    let requests = loop {
        let requests = receiver.requests();
        let told: BTreeSet<u64> = requests.iter().map(position).collect();
        if wanted.is_subset(&told) {
            break requests;
        }
        let missing = wanted.difference(&told).count();
        assert!(begun.elapsed() < TAKEN_OVER, "{missing} are missing: {}", houses[1].log());
        std::thread::sleep(Duration::from_millis(50));
    };
    let told: Vec<u64> = requests.iter().map(position).collect();
    assert_eq!(told.iter().copied().collect::<BTreeSet<u64>>(), wanted, "nothing else");
    // In order; whoever goes on begins at the place that was written down last, so once again at most.
    let back = told.windows(2).filter(|pair| pair[1] <= pair[0]).count();
    assert!(back <= 1, "{told:?}");
    let again = told.len() - wanted.len();
    println!("{} events, {before} told when it was killed, {again} told again", wanted.len());
    // A place is written down after 16 at most; one more may be under way.
    assert!(again <= 17, "{again} again: {told:?}");
    assert!(requests.iter().all(|request| request.is_signed_by(SECRET)));
    second.stop();
}

fn brake(house: &Installation) -> Value {
    let all = house.json(&["brake"]);
    let found = all.as_array().unwrap().iter().find(|one| one["creditor"] == "atelier");
    found.expect("the creditor").clone()
}

fn comes_to(house: &Installation, accounts: &[String], sent: usize, queued: usize) {
    let what = format!("{sent} sent and {queued} queued; log:\n{}", house.log());
    eventually(&what, || {
        let all: Vec<String> = accounts.iter().flat_map(|one| states(house, one)).collect();
        let count = |state: &str| all.iter().filter(|one| *one == state).count();
        (count("sent") == sent && count("queued") == queued).then_some(())
    });
}

#[test]
fn a_brake_that_one_server_pulled_holds_on_the_other_and_either_releases_it() {
    let sms = SmsServer::start();
    let houses = houses(&server::database(), &sms);
    for house in &houses {
        let file = house.config().join("policies/atelier-private/policy.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}\nbrake: {{ per_hour: 3 }}\n")).unwrap();
    }
    let post = |server: &Server, from: u32, count: u32| -> Vec<String> {
        let numbers = from..from + count;
        let accounts: Vec<String> = numbers.clone().map(|n| format!("atelier/K-{n}")).collect();
        for (account, number) in accounts.iter().zip(numbers) {
            let mobile = format!("+4477009{number:05}");
            server.accept(&overdue(account, "sms", "x@example.org", &mobile));
        }
        accounts
    };
    // One alone pulls it; the other one finds it pulled.
    let first = houses[0].serve();
    let mut all = post(&first, 1, 8);
    comes_to(&houses[0], &all, 3, 5);
    eventually("the brake is pulled", || brake(&houses[0])["pulled"].is_object().then_some(()));
    let second = houses[1].serve();
    all.extend(post(&second, 11, 4));
    comes_to(&houses[1], &all, 3, 9);
    assert!(brake(&houses[1])["pulled"].is_object());
    // Only the other one is left, and sends what a person lets through it, and nothing more.
    first.kill();
    let one = ["brake", "release", "atelier", "--messages", "1", "--as", "ada"];
    houses[1].run(&one).well();
    comes_to(&houses[1], &all, 4, 8);
    assert!(brake(&houses[1])["pulled"].is_object(), "so many, and it stays pulled");
    // The first one comes back to it, and an order given to it lets all go, by whichever.
    let first = houses[0].serve();
    houses[0].run(&["brake", "release", "atelier", "--all", "--as", "bob"]).well();
    comes_to(&houses[0], &all, 12, 0);
    for house in &houses[..2] {
        let seen = brake(house);
        assert_eq!((&seen["pulled"], &seen["released"]["by"]), (&Value::Null, &json!("bob")));
    }
    let taken = sms.taken();
    let keys: BTreeSet<String> = taken.iter().map(|row| row["key"].to_string()).collect();
    assert_eq!((taken.len(), keys.len()), (12, 12), "each once: {taken:?}");
    [first, second].into_iter().for_each(Server::stop);
}
