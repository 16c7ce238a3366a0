//! What leaves of real accounts, against its published schemas.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    delivery::{overdue, states},
    events::{day, event, invoice, moment, payment},
    http::JSON,
    world::{Installation, eventually, repository},
};

/// The validators of all types, by word, with the members that each knows.
fn schemas() -> BTreeMap<String, (jsonschema::Validator, BTreeSet<String>)> {
    let folder = repository().join("schemas/events/out");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let schemas = files.map(|path| {
        let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let word = path.file_name().unwrap().to_str().unwrap().strip_suffix(".v1.json").unwrap();
        let members = schema["properties"].as_object().unwrap().keys().cloned().collect();
        (word.to_owned(), (jsonschema::validator_for(&schema).unwrap(), members))
    });
    schemas.collect()
}

#[test]
fn what_leaves_of_many_kinds_of_accounts_is_what_its_schemas_say() {
    let house = Installation::new();
    let server = house.serve();
    let order = |order: Value| {
        let answer = server.post("/v1/orders", &[JSON], order.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let fact = |kind: &str, id: &str, account: &str, data: Value| {
        event(kind, id, account, &moment(0), data)
    };
    let mut events = Vec::new();
    for n in 1..=3 {
        events.extend(overdue(
            &format!("atelier/K-{n}"),
            "email",
            "kim@example.org",
            "+447700900001",
        ));
    }
    server.accept(&events);
    eventually("the reminders are out", || {
        (1..=3).all(|n| states(&house, &format!("atelier/K-{n}")) == ["sent"]).then_some(())
    });
    let (today, one) = (day(0), "atelier/K-1");
    server.accept(&[
        payment(one, "P-1", "40.00", &today, "R-K-1"),
        fact(
            "payment.returned",
            "back",
            one,
            json!({
            "payment": "P-1", "on": today, "reason": "AC04", "fee": "3.00" }),
        ),
        fact(
            "invoice.adjusted",
            "less",
            one,
            json!({
            "invoice": "R-K-1", "on": today, "amount": "80.00", "currency": "EUR", "reason": "x" }),
        ),
        fact(
            "invoice.credited",
            "note",
            one,
            json!({
            "invoice": "R-K-1", "credit": "C-1", "on": today, "amount": "5.00", "currency": "EUR",
            "reason": "x" }),
        ),
        fact(
            "dispute.opened",
            "no",
            one,
            json!({
            "dispute": "D-1", "invoice": "R-K-1", "on": today, "reason": "broken" }),
        ),
        fact(
            "dispute.resolved",
            "yes",
            one,
            json!({
            "dispute": "D-1", "invoice": "R-K-1", "on": today, "outcome": "rejected" }),
        ),
        fact(
            "invoice.rescheduled",
            "later",
            one,
            json!({
            "invoice": "R-K-1", "due_on": day(20), "reason": "x" }),
        ),
        invoice("atelier/K-2", "R-5", "7.00", "2036-01-01"),
        fact(
            "invoice.cancelled",
            "cancel",
            "atelier/K-2",
            json!({
            "invoice": "R-5", "on": today, "reason": "x" }),
        ),
        payment("atelier/K-2", "P-2", "89.90", &today, "R-K-2"),
        fact("debtor.insolvency_opened", "broke", "atelier/K-3", json!({ "on": today })),
    ]);
    order(json!({ "order": "promise", "account": one, "until": day(9) }));
    let held = order(json!({ "order": "hold", "account": one, "reason": "x" }));
    let hold = held["said"][0].as_str().unwrap().rsplit_once(' ').unwrap().1.to_owned();
    order(json!({ "order": "release", "account": one, "hold": hold }));
    order(json!({ "order": "give_up", "account": one, "invoice": "R-K-1", "amount": "1.00",
                  "reason": "x", "write_off": false }));
    order(json!({ "order": "erase", "account": "atelier/K-3" }));

    let schemas = schemas();
    let mut seen = BTreeSet::new();
    for n in 1..=3 {
        let page = server.get(&format!("/v1/accounts/atelier/K-{n}/events?limit=500")).json();
        for event in page["events"].as_array().unwrap() {
            let word = event["type"].as_str().unwrap().split('.').nth(2).unwrap();
            let (schema, members) = &schemas[word];
            let data = &event["data"];
            let wrong: Vec<String> = schema.iter_errors(data).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{word}: {wrong:?} in {data}");
            let unknown = data.as_object().unwrap().keys().find(|name| !members.contains(*name));
            assert_eq!(unknown, None, "{word} has a member that its schema does not name: {data}");
            seen.insert(word.to_owned());
        }
    }
    assert!(seen.len() >= 20, "{seen:?}");
}
