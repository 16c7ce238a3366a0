use std::time::Duration;

use serde_json::{Value, json};

use super::{
    delivery::overdue,
    events::{invoice, payment},
    receiver::{Receiver, Reply, Request},
    world::{Installation, eventually},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEXT: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// An installation with webhooks of these settings, each with its name and receiver.
fn house_with(webhooks: &[(&str, &str, Value)]) -> Installation {
    let house = Installation::new();
    set(&house, webhooks);
    house
}

fn set(house: &Installation, webhooks: &[(&str, &str, Value)]) {
    std::fs::write(house.config().join("secret"), format!("{SECRET}\n")).unwrap();
    let all = webhooks.iter().map(|(name, url, more)| {
        let mut one = json!({ "name": name, "url": url, "secret_file": "secret" });
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one
    });
    house.settings(&json!({ "webhooks": all.collect::<Vec<_>>() }));
}

fn types(requests: &[Request]) -> Vec<String> {
    let words = requests.iter().map(|request| {
        let event = request.json();
        let kind = event["type"].as_str().unwrap().to_owned();
        kind.strip_prefix("kulanz.account.").unwrap().strip_suffix(".v1").unwrap().to_owned()
    });
    words.collect()
}

#[track_caller]
fn arrive(receiver: &Receiver, house: &Installation, number: usize) -> Vec<Request> {
    let what = format!("{number} requests; {:?}\n{}", receiver.requests(), house.log());
    eventually(&what, || Some(receiver.requests()).filter(|all| all.len() >= number))
}

#[test]
fn events_arrive_signed_in_order_and_without_personal_data() {
    let receiver = Receiver::start();
    let house = house_with(&[("shop", &receiver.url, json!({}))]);
    let server = house.serve();
    let mut events = overdue("atelier/K-1", "email", "kim@example.org", "+447700900001");
    events.push(invoice("kontor/K-2", "R-2", "5.00", "2036-01-01"));
    server.accept(&events);
    let sent = |all: &[Request]| types(all).iter().any(|kind| kind == "notice_sent");
    let requests =
        eventually("the reminder is told", || Some(receiver.requests()).filter(|all| sent(all)));
    let mut before = 0;
    for request in &requests {
        let event = request.json();
        let position: u64 = event["id"].as_str().unwrap().parse().unwrap();
        assert!(position > before, "in the order of all events");
        before = position;
        assert_eq!(request.header("webhook-id"), format!("evt_{position}"));
        assert_eq!(request.header("content-type"), "application/cloudevents+json");
        assert!(request.is_signed_by(SECRET) && !request.is_signed_by(NEXT));
        let at: i64 = request.header("webhook-timestamp").parse().unwrap();
        assert!((jiff::Timestamp::now().as_second() - at).abs() < 120);
        for personal in ["kim@example.org", "Kim K-1", "7700900001"] {
            assert!(!request.body.contains(personal), "{}", request.body);
        }
    }
    // All that happened is told, and once.
    let of_one: Vec<&Request> =
        requests.iter().filter(|r| r.json()["subject"] == "atelier/K-1").collect();
    let kinds = house.kinds("atelier/K-1");
    let told: Vec<String> =
        of_one.iter().map(|r| types(&[(*r).clone()])[0].replace('_', "")).collect();
    let known: Vec<String> = kinds.iter().map(|kind| kind.to_lowercase()).collect();
    assert_eq!(told, known[..told.len()]);
    let listed = house.json(&["webhooks", "list"]);
    assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&json!("shop"), &json!("well")));
}

#[test]
fn an_endpoint_hears_what_it_asked_for_from_when_it_was_set_up() {
    let (all, some, one) = (Receiver::start(), Receiver::start(), Receiver::start());
    let house = Installation::new();
    let server = house.serve();
    server.accept(&[invoice("atelier/K-1", "R-1", "10.00", "2036-01-01")]);
    server.stop();
    set(
        &house,
        &[
            ("all", &all.url, json!({ "begin": "first" })),
            ("some", &some.url, json!({ "events": ["payment_received", "claim_settled"] })),
            ("one", &one.url, json!({ "creditor": "kontor", "begin": "first" })),
        ],
    );
    let server = house.serve();
    eventually("all three have their place", || {
        let listed = house.json(&["webhooks", "list"]);
        listed.as_array().unwrap().iter().all(|row| row["state"] == "well").then_some(())
    });
    server.accept(&[
        invoice("kontor/K-9", "R-9", "5.00", "2036-01-01"),
        payment("atelier/K-1", "P-1", "10.00", "2026-01-05", "R-1"),
    ]);
    let requests = arrive(&some, &house, 2);
    assert_eq!(types(&requests), ["payment_received", "claim_settled"]);
    let of_kontor = house.kinds("kontor/K-9").len();
    let requests = arrive(&one, &house, of_kontor);
    assert!(requests.iter().all(|request| request.json()["subject"] == "kontor/K-9"));
    let in_all = of_kontor + house.kinds("atelier/K-1").len();
    let first = arrive(&all, &house, in_all).remove(0);
    assert_eq!(
        (&first.json()["subject"], &first.json()["accountversion"]),
        (&json!("atelier/K-1"), &json!(1))
    );
    server.kill();

    // Its place is kept: what was told is not told again once it is written down.
    [&all, &some, &one].into_iter().for_each(Receiver::forget);
    let server = house.serve();
    server.accept(&[payment("kontor/K-9", "P-9", "5.00", "2026-01-05", "R-9")]);
    let requests = arrive(&some, &house, 2);
    assert_eq!(types(&requests), ["payment_received", "claim_settled"]);
    assert!(requests.iter().all(|request| request.json()["subject"] == "kontor/K-9"));
    server.stop();
}

#[test]
fn what_fails_is_sent_again_under_its_id_before_anything_later() {
    let receiver = Receiver::start();
    receiver.answers(
        &[
            Reply::Hangs,
            Reply::Says(500, ""),
            Reply::Says(302, "Location: http://127.0.0.1:1/elsewhere\r\n"),
            Reply::Says(429, "Retry-After: 9\r\n"),
        ],
        Reply::Says(200, ""),
    );
    let house = house_with(&[("shop", &receiver.url, json!({ "events": ["invoice_issued"] }))]);
    let server = house.serve();
    eventually("it has its place", || {
        (house.json(&["webhooks", "list"])[0]["state"] == "well").then_some(())
    });
    server.accept(&[
        invoice("atelier/K-1", "R-1", "10.00", "2036-01-01"),
        invoice("atelier/K-1", "R-2", "10.00", "2036-01-02"),
    ]);
    arrive(&receiver, &house, 3);
    let failing = eventually("the redirect is told", || {
        let listed = house.json(&["webhooks", "list"]);
        let why = listed[0]["place"]["why"].as_str()?;
        why.contains("redirects are not followed").then(|| listed.clone())
    });
    assert_eq!(failing[0]["state"], "failing");
    let doctor = house.run(&["doctor"]);
    assert!(doctor.out.contains("shop fails: it answers 302"), "{doctor:?}");
    let requests = arrive(&receiver, &house, 6);
    let ids: Vec<&str> = requests.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids[..5], [ids[0]; 5]);
    assert_ne!(ids[5], ids[0]);
    let bodies: Vec<&str> = requests.iter().map(|request| request.body.as_str()).collect();
    assert_eq!(bodies[..5], [bodies[0]; 5]);
    let pause = requests[4].at.duration_since(requests[3].at);
    assert!(pause >= Duration::from_secs(9), "Retry-After: {pause:?}");
    let first = requests[1].at.duration_since(requests[0].at);
    assert!(first >= Duration::from_secs(1), "{first:?}");
    eventually("it is well again", || {
        (house.json(&["webhooks", "list"])[0]["state"] == "well").then_some(())
    });
}

#[test]
fn one_that_fails_holds_nobody_up_is_parked_and_tried_again_when_a_person_wants_it() {
    let (bad, gone, good) = (Receiver::start(), Receiver::start(), Receiver::start());
    bad.answers(&[], Reply::Says(500, ""));
    gone.answers(&[Reply::Says(410, "")], Reply::Says(204, ""));
    let house = house_with(&[
        ("bad", &bad.url, json!({ "give_up_after_days": 0 })),
        ("gone", &gone.url, json!({})),
        ("good", &good.url, json!({})),
        ("nobody", "http://127.0.0.1:1/", json!({})),
    ]);
    let server = house.serve();
    let state = |at: usize| house.json(&["webhooks", "list"])[at]["state"].clone();
    eventually("all have their place", || (0..4).all(|at| state(at) == "well").then_some(()));
    server.accept(&[invoice("atelier/K-1", "R-1", "10.00", "2036-01-01")]);
    let number = house.kinds("atelier/K-1").len();
    let requests = arrive(&good, &house, number);
    assert_eq!(types(&requests)[0], "invoice_issued");
    eventually("two are parked", || (state(0) == "parked" && state(1) == "parked").then_some(()));
    eventually("one cannot be reached", || (state(3) == "failing").then_some(()));
    let doctor = house.run(&["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.out.contains("`kulanz webhooks retry bad`"), "{}", doctor.out);
    assert_eq!((bad.requests().len(), gone.requests().len()), (1, 1));

    // What is parked stays parked, and nothing is lost.
    server.stop();
    let server = house.serve();
    let figure = |name: &str, webhook: &str| -> Option<f64> {
        let text = server.get("/metrics").body;
        let series = format!("kulanz_webhook_{name}{{webhook=\"{webhook}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok())
    };
    let parked = eventually("the figures are there", || {
        let all = ["bad", "gone", "good"].map(|webhook| figure("parked", webhook));
        all.iter().all(Option::is_some).then_some(all.map(Option::unwrap))
    });
    assert_eq!(parked, [1.0, 1.0, 0.0]);
    let failing = ["bad", "gone", "good"].map(|webhook| figure("failing_seconds", webhook));
    assert!(failing[0] > Some(0.0) && failing[1] > Some(0.0), "{failing:?}");
    assert_eq!(failing[2], Some(0.0));
    let behind = |webhook| figure("behind_events", webhook).unwrap();
    assert_eq!([behind("bad"), behind("good")], [number as f64, 0.0]);
    server.accept(&[invoice("atelier/K-1", "R-2", "10.00", "2036-01-01")]);
    arrive(&good, &house, number + 1);
    assert_eq!((bad.requests().len(), gone.requests().len()), (1, 1));
    bad.answers(&[], Reply::Says(200, ""));
    house.run(&["webhooks", "retry", "bad", "--as", "ada"]).well();
    house.run(&["webhooks", "retry", "gone", "--as", "ada"]).well();
    house.run(&["webhooks", "retry", "other", "--as", "ada"]).refused(&["there are: bad, gone"]);
    let number = house.kinds("atelier/K-1").len();
    assert_eq!(arrive(&bad, &house, 1 + number)[1].body, bad.requests()[0].body);
    assert_eq!(arrive(&gone, &house, 1 + number)[1].body, gone.requests()[0].body);
    server.stop();
}

#[test]
fn a_secret_is_replaced_while_both_are_known() {
    let receiver = Receiver::start();
    let house = house_with(&[("shop", &receiver.url, json!({}))]);
    std::fs::write(house.config().join("secret"), format!("{NEXT}\n{SECRET}\n")).unwrap();
    let said = house.run(&["webhooks", "send-test", "shop"]).well();
    assert!(said.out.contains("shop took it"), "{said:?}");
    let test = receiver.requests().remove(0);
    assert!(test.is_signed_by(SECRET) && test.is_signed_by(NEXT));
    assert_eq!(test.json()["type"], "kulanz.webhook.test.v1");
    receiver.answers(&[], Reply::Says(401, ""));
    house.run(&["webhooks", "send-test", "shop"]).refused(&["did not take it: it answers 401"]);
}

#[test]
fn webhooks_that_cannot_be_are_told_at_the_start() {
    let house = house_with(&[("shop", "http://shop.example/", json!({}))]);
    let serve = || house.run(&["serve", "--listen", "127.0.0.1:0"]);
    serve().refused(&["webhook `shop`", "use https"]);
    set(&house, &[("shop", "https://shop.example/", json!({ "events": ["paid"] }))]);
    serve().refused(&["no event `paid`", "payment_received"]);
    set(
        &house,
        &[("shop", "https://a.example/", json!({})), ("shop", "https://b.example/", json!({}))],
    );
    serve().refused(&["two webhooks are named `shop`"]);
    set(&house, &[("shop", "https://shop.example/", json!({ "creditor": "ateleir" }))]);
    serve().refused(&["no file policies/creditors/ateleir.yaml"]);
    set(&house, &[("shop", "https://shop.example/", json!({ "retries": 3 }))]);
    serve().refused(&["retries"]);
    set(&house, &[("shop", "https://shop.example/", json!({}))]);
    std::fs::write(house.config().join("secret"), "hunter2\n").unwrap();
    let said = serve().refused(&["secret_file", "begins with `whsec_`"]);
    assert!(!said.err.contains("hunter2"));
    std::fs::remove_file(house.config().join("secret")).unwrap();
    serve().refused(&["cannot be read"]);
}
