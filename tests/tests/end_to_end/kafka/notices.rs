//! Messages for a gateway of the shop's own: told of on a topic, fetched over HTTP, once each.

use std::{collections::BTreeSet, fs, sync::LazyLock};

use serde_json::{Value, json};

use super::{
    super::{
        delivery::{overdue, states},
        events::{day, event, moment, payment},
        world::{Installation, Server, copy, eventually, repository},
    },
    Record, Topics,
    outbound::{keeps_to, schema},
    server,
};

static READY: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| schema("notice-ready.schema.json"));

/// A shop that sends its e-mails itself.
fn sends_itself() -> Installation {
    let house = Installation::new();
    let file = house.config().join("policies/creditors/atelier.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let own = text.replace("atelier.example }", "atelier.example, via: kafka }");
    assert_ne!(own, text);
    fs::write(&file, own).unwrap();
    house
}

fn by_mail(account: &str) -> Vec<Value> {
    overdue(account, "email", "kim@example.org", "+447700900001")
}

/// The records on the topic, each as published.
fn told(topics: &Topics) -> Vec<(Record, Value)> {
    let records = topics.read("kulanz.notices").into_iter();
    let told: Vec<_> = records.map(|record| (record.clone(), record.json())).collect();
    told.iter().for_each(|(_, event)| keeps_to(&READY, event));
    told
}

#[track_caller]
fn sent(house: &Installation, account: &str) {
    let what = format!("a message of {account} is sent; log:\n{}", house.log());
    eventually(&what, || (states(house, account) == ["sent"]).then_some(()));
}

fn fetch(server: &Server, event: &Value) -> Value {
    let answer = server.get(event["data"]["path"].as_str().unwrap());
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The kind of the last event about a message.
fn last_kind(house: &Installation, account: &str) -> Option<String> {
    house.kinds(account).pop()
}

#[test]
fn a_shop_hears_of_its_messages_and_fetches_them_with_what_became_of_the_account() {
    let house = sends_itself();
    let topics = Topics::new(&house);
    let server = house.serve();
    // A channel that the shop does not send itself has no gateway here, and is not used.
    server.accept(&overdue("atelier/K-2", "sms", "tom@example.org", "+447700900002"));
    server.accept(&by_mail("atelier/K-1"));
    sent(&house, "atelier/K-1");
    let (record, event) = told(&topics).pop().expect("a record");
    assert_eq!(record.key.as_deref(), Some("atelier/K-1"));
    assert_eq!(record.headers["content-type"], "application/cloudevents+json; charset=UTF-8");
    assert_eq!(
        (&event["data"]["channel"], &event["data"]["step"]),
        (&json!("email"), &json!("reminder"))
    );
    assert_eq!(event["id"], event["data"]["notice"]);
    let text = String::from_utf8_lossy(&record.value).into_owned();
    for datum in ["Kim", "kim@example.org", "/p/", "89.90"] {
        assert!(!text.contains(datum), "{text}");
    }
    assert!(house.kinds("atelier/K-1").contains(&"NoticeSent".to_owned()));
    assert_eq!(server.get("/outbox").status, 404, "nothing of a real debtor is shown to all");

    let message = fetch(&server, &event);
    assert_eq!((&message["state"], &message["overtaken"]), (&json!("sent"), &Value::Null));
    assert_eq!(message["message"]["to"], "kim@example.org");
    assert_eq!(message["message"]["subject"], "Atelier: reminder");
    let text = message["message"]["text"].as_str().unwrap();
    let link = text.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let page = server.get(link.strip_prefix(&format!("http://{}", server.address)).unwrap());
    assert!(page.status == 200 && page.body.contains("89.90"), "{}", page.body);

    // Whoever is late with sending sees that it is no longer right.
    server.accept(&[payment("atelier/K-1", "P-1", "10.00", &day(0), "R-K-1")]);
    assert_eq!(fetch(&server, &event)["overtaken"], "amounts_changed");
    server.accept(&[payment("atelier/K-1", "P-2", "79.90", &day(0), "R-K-1")]);
    assert_eq!(fetch(&server, &event)["overtaken"], "paid");
    assert!(told(&topics).iter().all(|(_, one)| one["subject"] == "atelier/K-1"));
    assert_eq!(states(&house, "atelier/K-2"), Vec::<String>::new());
    server.stop();
}

#[test]
fn what_became_of_a_message_comes_back_as_with_any_gateway() {
    let house = sends_itself();
    let topics = Topics::new(&house);
    let server = house.serve();
    let accounts = ["atelier/K-1", "atelier/K-2"];
    for account in accounts {
        server.accept(&by_mail(account));
        sent(&house, account);
    }
    let ids: Vec<Value> = accounts
        .iter()
        .map(|account| {
            let told = told(&topics).into_iter().find(|(_, event)| event["subject"] == *account);
            told.unwrap().1["id"].clone()
        })
        .collect();
    let receipt = |kind: &str, account: &str, id: &Value| {
        let data = json!({ "notice": id, "channel": "email", "at": moment(0) });
        event(kind, kind, account, &moment(0), data)
    };
    topics.send_all(&[
        receipt("reminder.delivered", accounts[0], &ids[0]),
        receipt("reminder.bounced", accounts[1], &ids[1]),
    ]);
    topics.drained(&house);
    assert_eq!(last_kind(&house, accounts[0]).as_deref(), Some("NoticeReceipt"));
    let last_step = |account: &str| {
        let shown = house.json(&["account", "show", account]);
        shown["books"][0]["claims"][0]["last_step"].clone()
    };
    // Where it bounced the step did not happen; the next channel would be a text message, for
    // which there is no gateway.
    assert_eq!((last_step(accounts[0]), last_step(accounts[1])), (json!("reminder"), Value::Null));
    assert_eq!(told(&topics).len(), 2);
    server.stop();
}

#[test]
fn servers_that_are_killed_tell_of_each_message_under_one_id_and_of_none_as_unknown() {
    let house = sends_itself();
    let topics = Topics::new(&house);
    let accounts: Vec<String> = (0..12).map(|number| format!("atelier/K-{number}")).collect();
    let mut server = house.serve();
    for chunk in accounts.chunks(3) {
        for account in chunk {
            server.accept(&by_mail(account));
        }
        eventually("the first of them is told", || {
            told(&topics)
                .iter()
                .any(|(_, event)| chunk.contains(&event["subject"].as_str().unwrap().to_owned()))
                .then_some(())
        });
        server.kill();
        server = house.serve();
    }
    for account in &accounts {
        sent(&house, account);
    }
    let ids: BTreeSet<(String, String)> = told(&topics)
        .into_iter()
        .map(|(_, event)| {
            let text = |member: &Value| member.as_str().unwrap().to_owned();
            (text(&event["subject"]), text(&event["id"]))
        })
        .collect();
    assert_eq!(ids.len(), accounts.len(), "one id an account: {ids:?}");
    server.stop();
}

#[test]
fn while_no_broker_answers_messages_wait_and_who_paid_meanwhile_hears_nothing() {
    let test = "while_no_broker_answers_messages_wait_and_who_paid_meanwhile_hears_nothing";
    let Some(broker) = server::own(test) else { return };
    let house = sends_itself();
    let topics = Topics::named(&broker.ask("address"));
    house.settings(&json!({ "kafka": topics.settings() }));
    house.run(&["topics", "create"]).well();
    let server = house.serve();
    broker.ask("stop");
    server.accept(&by_mail("atelier/PAID"));
    server.accept(&by_mail("atelier/OWES"));
    eventually("the messages could not be told", || {
        let log = house.log();
        (log.matches("tried again later").count() >= 2).then_some(())
    });
    server.accept(&[payment("atelier/PAID", "P-1", "89.90", &day(0), "R-PAID")]);
    broker.ask("start");
    server.stop();
    // As if the wait were over.
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    database.execute("UPDATE outbox SET next_at = 0 WHERE state = 'queued'", []).unwrap();
    drop(database);
    let server = house.serve();
    sent(&house, "atelier/OWES");
    eventually("the paid one is suppressed", || {
        (states(&house, "atelier/PAID") == ["suppressed"]).then_some(())
    });
    let subjects: Vec<Value> =
        told(&topics).into_iter().map(|(_, one)| one["subject"].clone()).collect();
    assert_eq!(subjects, ["atelier/OWES"]);
    server.stop();
}

#[test]
fn a_shop_that_sends_itself_needs_kafka() {
    let house = sends_itself();
    house
        .run(&["serve", "--listen", "127.0.0.1:0"])
        .refused(&["atelier.yaml has `via: kafka`", "KULANZ_KAFKA__BROKERS"]);
    let file = house.config().join("policies/creditors/atelier.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("via: kafka", "via: pigeon")).unwrap();
    house.run(&["creditor", "check"]).refused(&["`pigeon` is not known here"]);
}

#[test]
fn a_demo_of_a_shop_that_sends_itself_needs_none_and_keeps_its_messages() {
    let shop = Installation::new();
    let policies = shop.config().join("policies");
    fs::remove_dir_all(&policies).unwrap();
    copy(&repository().join("policies"), &policies);
    let file = policies.join("creditors/lindenmoor.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let from = "from: rechnung@lindenmoor.example\n";
    let own = text.replace(from, &format!("{from}    via: kafka\n"));
    assert_ne!(own, text);
    fs::write(&file, own).unwrap();
    // Settings are none of a demo's.
    shop.settings(&json!({ "kafka": { "brokers": "127.0.0.1:9" } }));
    let said = shop.run(&["demo", "--exit", "--json", "--months", "1", "--port", "0"]).well();
    let told = "lindenmoor.yaml has `via: kafka`: no message leaves a demo";
    assert!(said.err.contains(told), "{}", said.err);
    let rows = Installation::with_data(&shop.data().join("demo")).json(&["outbox", "list"]);
    let mails = rows.as_array().unwrap().iter().filter(|row| row["channel"] == "email");
    let sent = mails.filter(|row| row["state"] == "sent").count();
    assert!(sent > 10, "{sent}: {rows}");
}
