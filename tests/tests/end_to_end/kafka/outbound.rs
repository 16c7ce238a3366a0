//! Events out: what lies on the topics is the log.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    sync::{LazyLock, Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::{
    super::{
        events::{debtor, event, invoice, payment},
        orders::due_for_an_agency,
        panics::{TOO_MUCH, rewrite},
        world::{Installation, copy, eventually, repository},
    },
    Topics,
};

static ORDER: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| schema("placement-order.schema.json"));

/// A published schema, but that nothing may be there that it does not name.
pub fn schema(name: &str) -> jsonschema::Validator {
    let file = repository().join("schemas").join(name);
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    strict(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

/// The data of an account's event keep to the schema of its type; the word for that.
#[track_caller]
fn as_published(event: &Value) -> String {
    static SCHEMAS: LazyLock<Mutex<HashMap<String, jsonschema::Validator>>> =
        LazyLock::new(Mutex::default);
    let word = event["type"].as_str().unwrap();
    let word = word.strip_prefix("kulanz.account.").unwrap().strip_suffix(".v1").unwrap();
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = schemas
        .entry(word.to_owned())
        .or_insert_with(|| schema(&format!("events/out/{word}.v1.json")));
    keeps_to(validator, &event["data"]);
    word.replace('_', "")
}

fn strict(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(strict);
            let closed =
                members.get("type") == Some(&json!("object")) && members.contains_key("properties");
            if closed {
                members.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

#[track_caller]
pub fn keeps_to(validator: &jsonschema::Validator, event: &Value) {
    let wrong: Vec<String> =
        validator.iter_errors(event).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?} in {event:#}");
}

/// Rows of the log: position, account, version, kind.
fn log(house: &Installation) -> Vec<(i64, String, i64, String)> {
    let database = house.database();
    let mut rows = database
        .prepare(
            "SELECT position, creditor || '/' || debtor, events.version, kind FROM events
             JOIN accounts ON number = account ORDER BY position",
        )
        .unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

/// `kulanz.accounts` has every event of the log, in each account's order, some perhaps twice.
#[track_caller]
pub fn tells_the_log(house: &Installation, topics: &Topics) {
    let (log, told) = eventually("every event is on the topic", || {
        let mut found = BTreeMap::new();
        for record in topics.read("kulanz.accounts") {
            let event = record.json();
            let id: i64 = event["id"].as_str().unwrap().parse().unwrap();
            found.insert(id, (record, event));
        }
        // A server decides meanwhile.
        let log = log(house);
        (found.len() == log.len()).then_some((log, found))
    });
    for (position, account, version, kind) in &log {
        let (record, event) = &told[position];
        assert_eq!((record.key.as_ref(), &event["subject"]), (Some(account), &json!(account)));
        assert_eq!(event["accountversion"], json!(version));
        assert_eq!(as_published(event), kind.to_lowercase(), "{event}");
    }
    in_order(topics);
}

/// `kulanz.accounts` has the events of an account, whichever store holds the log.
#[track_caller]
pub fn tells_of(house: &Installation, topics: &Topics, account: &str) {
    eventually(&format!("all of {account} is on the topic"), || {
        let told = topics.read("kulanz.accounts").into_iter();
        let told = told.filter(|record| record.key.as_deref() == Some(account));
        let kinds: BTreeMap<i64, String> = told
            .map(|record| {
                let event = record.json();
                (event["accountversion"].as_i64().unwrap(), as_published(&event))
            })
            .collect();
        let log = house.kinds(account).into_iter().map(|kind| kind.to_lowercase());
        kinds.into_values().eq(log).then_some(())
    });
}

/// The first of each version comes in the order of versions; what comes twice comes as a run.
#[track_caller]
pub fn in_order(topics: &Topics) {
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    let mut places: BTreeMap<String, i32> = BTreeMap::new();
    for record in topics.read("kulanz.accounts") {
        let account = record.key.clone().unwrap();
        let version = record.json()["accountversion"].as_i64().unwrap();
        let next = last.entry(account.clone()).or_default();
        assert!(version <= *next + 1, "{account}: {version} after {next}");
        *next = version.max(*next);
        let place = places.entry(account).or_insert(record.partition);
        assert_eq!(*place, record.partition);
    }
}

#[test]
fn the_log_goes_out_in_order_and_without_personal_data() {
    let house = Installation::new();
    let topics = Topics::new(&house);
    let served = house.serve();
    let mut events = Vec::new();
    for number in 0..60 {
        let account = format!("atelier/K-{number}");
        events.push(debtor(&account, "email", "kim@example.org", "+447700900001"));
        events.push(invoice(&account, &format!("R-{number}"), "50.00", "2026-03-15"));
        events.push(payment(&account, &format!("P-{number}"), "20.00", "2026-04-01", "R-0"));
    }
    topics.send_all(&events);
    topics.drained(&house);
    tells_the_log(&house, &topics);
    served.stop();
    // It goes on where it was, and tells nothing twice after an orderly end.
    let before = topics.read("kulanz.accounts").len();
    let served = house.serve();
    served.accept(&[invoice("atelier/K-0", "R-new", "5.00", "2026-03-15")]);
    tells_the_log(&house, &topics);
    let after = topics.read("kulanz.accounts");
    assert_eq!(after.len(), log(&house).len());
    assert!(after.len() > before);
    for record in &after {
        let text = String::from_utf8_lossy(&record.value);
        for datum in ["Kim", "kim@example.org", "+447700900001"] {
            assert!(!text.contains(datum), "{text}");
        }
        assert_eq!(record.headers["content-type"], "application/cloudevents+json; charset=UTF-8");
    }
    // A key lies on the same partition as what others sent under it.
    let inbound = topics.read("kulanz.invoices");
    for record in &after {
        let theirs = inbound.iter().find(|other| other.key == record.key);
        assert_eq!(theirs.map(|other| other.partition), Some(record.partition));
    }
    let doctor = house.run(&["doctor"]);
    let end = log(&house).last().unwrap().0;
    assert!(doctor.out.contains(&format!("up to {end} of {end}")), "{}", doctor.out);
    served.stop();
}

/// What a person did is told without the person.
#[test]
fn names_of_those_who_work_here_stay_inside() {
    let house = Installation::new();
    let topics = Topics::new(&house);
    let served = house.serve();
    served.accept(&[invoice("atelier/K-1", "R-1", "50.00", "2026-03-15")]);
    house.run(&["account", "hold", "atelier/K-1", "--reason", "x", "--as", "lovelace"]).well();
    tells_the_log(&house, &topics);
    let told: Vec<Value> = topics.read("kulanz.accounts").iter().map(super::Record::json).collect();
    assert!(told.iter().any(|event| event["type"] == "kulanz.account.hold_placed.v1"));
    assert!(told.iter().all(|event| !event.to_string().contains("lovelace")), "{told:?}");
    served.stop();
}

/// Five months of an invented shop, with placements: all of it goes out, and what an agency has to
/// hear with it.
#[test]
fn a_history_of_before_goes_out_from_its_first_event_with_the_orders_to_agencies() {
    let played = Installation::new();
    fs::remove_dir_all(played.config()).unwrap();
    copy(&repository().join("policies"), &played.config().join("policies"));
    played.run(&["demo", "--exit"]).well();
    let house = Installation::with_data(&played.data().join("demo"));
    fs::remove_dir_all(house.config()).unwrap();
    copy(&played.config(), &house.config());
    let topics = Topics::new(&house);
    let served = house.serve();
    tells_the_log(&house, &topics);
    let kinds: std::collections::BTreeSet<String> =
        log(&house).into_iter().map(|(.., kind)| kind).collect();
    println!("{} kinds of events: {kinds:?}", kinds.len());
    let released = log(&house).into_iter().filter(|(.., kind)| kind == "PlacementReleased");
    let released: Vec<String> = released.map(|(_, account, ..)| account).collect();
    assert!(!released.is_empty(), "the invented shop places nothing any more");
    let orders = topics.read("kulanz.placement-orders");
    let placed: Vec<&String> = orders
        .iter()
        .filter(|order| order.json()["type"] == "kulanz.placement.placed.v1")
        .filter_map(|order| order.key.as_ref())
        .collect();
    for account in &released {
        assert!(placed.contains(&account), "{account} in {placed:?}");
    }
    // Of a credit note that comes afterwards it hears too.
    let out = house.run(&["handoff", "list", "--json"]).well().json();
    let mut out = out.as_array().unwrap().iter().filter(|row| row["state"] == "with_agency");
    let (account, placement) = out
        .find_map(|row| Some((row["account"].as_str()?.to_owned(), row["placement"].clone())))
        .expect("something is still with an agency");
    let claim = orders.iter().map(super::Record::json).find(|order| {
        order["type"] == "kulanz.placement.placed.v1" && order["data"]["placement"] == placement
    });
    let claim = claim.unwrap()["data"]["claims"][0]["invoice"].clone();
    let credit = json!({ "invoice": claim, "credit": "C-late", "on": "2026-11-01",
                         "amount": "0.50", "currency": "EUR", "reason": "too late" });
    served.accept(&[event("invoice.credited", "C-late", &account, "2026-11-01T09:00:00Z", credit)]);
    let orders = eventually("the agency hears of the credit note", || {
        let orders = topics.read("kulanz.placement-orders");
        let told = |order: &super::Record| {
            let order = order.json();
            order["type"] == "kulanz.placement.updated.v1"
                && order["data"]["placement"] == placement
                && order["data"]["claims"][0]["credited"] == "0.50"
        };
        orders.iter().any(told).then_some(orders)
    });
    for order in &orders {
        keeps_to(&ORDER, &order.json());
    }
    served.stop();
}

/// None may be left out: what makes the program panic waits, and so does all that comes after it.
#[test]
fn an_event_that_makes_the_program_panic_waits_and_goes_out_once_it_can() {
    let house = Installation::new();
    let (ada, bob) = (house.token("ada", "approver", None), house.token("bob", "clerk", None));
    let topics = Topics::new(&house);
    let mut events = due_for_an_agency();
    events.push(payment("atelier/K-1", "P-2", "1.00", "2026-04-01", "R-1"));
    house.import(&house.events("history.ndjson", &events)).well();
    let served = house.serve();
    let waiting = eventually("the placement waits", || {
        house.json(&["handoff", "list"]).as_array().filter(|rows| rows.len() == 1).cloned()
    });
    for token in [&ada, &bob] {
        let placement = waiting[0]["placement"].as_str().unwrap();
        house.run(&["handoff", "release", placement, "--token", token]).well();
    }
    tells_the_log(&house, &topics);
    served.stop();
    let before = topics.read("kulanz.accounts").len();
    let hold = ["account", "hold", "atelier/K-1", "--reason", "called", "--token", &ada];
    house.run(&hold).well();
    house
        .import(&house.events("more", &[invoice("atelier/K-9", "R-9", "5.00", "2026-03-15")]))
        .well();
    rewrite(&house, "K-1", [("P-1", TOO_MUCH), ("P-2", TOO_MUCH)]);
    let mut served = house.serve();
    eventually("it is told", || {
        let log = house.log();
        let told = log.contains("account events cannot be written to Kafka")
            && log.contains("the program panicked");
        told.then_some(())
    });
    assert_eq!(topics.read("kulanz.accounts").len(), before);
    assert!(served.runs());
    served.stop();
    rewrite(&house, "K-1", [("P-1", "20.25"), ("P-2", "1.00")]);
    let served = house.serve();
    tells_the_log(&house, &topics);
    let orders = topics.read("kulanz.placement-orders");
    orders.iter().for_each(|order| keeps_to(&ORDER, &order.json()));
    let told = |order: &super::Record| order.json()["data"]["holds"][0]["hold"].is_string();
    assert!(orders.iter().any(told), "the agency hears of the hold");
    served.stop();
}
