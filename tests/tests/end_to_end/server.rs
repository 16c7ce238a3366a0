use std::{process::Stdio, time::Instant};

use serde_json::{Value, json};

use super::{
    events::{invoice, payment},
    http::{BATCH, EVENT, JSON, NDJSON},
    world::{Installation, eventually, lines},
};

fn statuses(body: &Value) -> Vec<&str> {
    let receipts = body["receipts"].as_array().unwrap();
    receipts.iter().map(|receipt| receipt["status"].as_str().unwrap()).collect()
}

#[test]
fn events_come_in_structured_in_batches_as_lines_and_in_binary_mode() {
    let house = Installation::new();
    let server = house.serve();
    let one = |number: u32| invoice("atelier/K-1", &format!("R-{number}"), "10.00", "2026-11-01");

    let answer = server.post("/v1/events", &[EVENT], one(1).to_string().as_bytes());
    assert_eq!(answer.status, 202);
    assert_eq!(
        answer.json(),
        json!({ "receipts": [{ "id": "issued-R-1", "status": "accepted" }] })
    );

    let mut wrong = one(3);
    wrong["data"]["amount"] = json!(10);
    let batch = json!([one(1), one(2), wrong]);
    let answer = server.post("/v1/events", &[BATCH], batch.to_string().as_bytes());
    assert_eq!(answer.status, 202);
    let body = answer.json();
    assert_eq!(statuses(&body), ["duplicate", "accepted", "rejected"]);
    let problem = &body["receipts"][2]["problem"];
    assert_eq!((&problem["pointer"], &problem["dead_letter"]), (&json!("/data/amount"), &json!(1)));

    let text = format!("\n{}\r\n{}", one(4), one(5));
    let answer = server.post("/v1/events", &[NDJSON], text.as_bytes());
    assert_eq!((answer.status, statuses(&answer.json()).len()), (202, 2));

    let event = one(6);
    let headers: Vec<(String, String)> = ["specversion", "id", "source", "type", "subject", "time"]
        .map(|name| (format!("ce-{name}"), event[name].as_str().unwrap().to_owned()))
        .into();
    let mut headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.push(JSON);
    let answer = server.post("/v1/events", &headers, event["data"].to_string().as_bytes());
    assert_eq!(
        (answer.status, statuses(&answer.json())[0].to_owned()),
        (202, "accepted".to_owned())
    );

    // What is accepted is there at once, also for who reads beside the server.
    let book = house.json(&["book"]);
    assert_eq!(book["currencies"]["EUR"]["principal"], "50.00");
    assert_eq!(server.get("/healthz").body, "ok\n");
    server.stop();
    assert!(!house.data().join("server.json").exists());
}

#[test]
fn a_single_event_that_is_wrong_is_a_problem_with_its_place_and_dead_letter() {
    let house = Installation::new();
    let server = house.serve();
    let mut wrong = invoice("atelier/K-1", "R-1", "10.00", "2026-11-01");
    wrong["data"]["due_on"] = json!("2026-02-30");
    let answer = server.post("/v1/events", &[EVENT], wrong.to_string().as_bytes());
    let problem = answer.problem(422);
    assert_eq!(problem["pointer"], "/data/due_on");
    assert_eq!(problem["id"], "issued-R-1");
    assert_eq!(problem["status"], 422);
    assert_eq!(problem["dead_letter"], 1);
    for member in ["type", "title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    server.post("/v1/events", &[("Content-Type", "text/csv")], b"a;b").problem(415);
    server.post("/v1/events", &[BATCH], b"{\"no\": \"list\"}").problem(400);
    assert_eq!(server.get("/v1/events").status, 405);
    assert_eq!(server.get("/v1/nothing").status, 404);
}

#[test]
fn a_dead_letter_of_binary_mode_can_be_taken_later() {
    let house = Installation::new();
    let server = house.serve();
    let event = invoice("neuland/K-1", "R-1", "10.00", "2026-11-01");
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "percent%20encoded"),
        ("ce-source", "/shop"),
        ("ce-type", "kulanz.invoice.issued.v1"),
        ("ce-subject", "neuland/K-1"),
        ("ce-time", "2026-10-01T10:00:00Z"),
        JSON,
    ];
    let body = event["data"].to_string();
    server.post("/v1/events", &headers, body.as_bytes()).problem(422);
    server.stop();
    let creditors = house.config().join("policies/creditors");
    let known = std::fs::read_to_string(creditors.join("kontor.yaml")).unwrap();
    std::fs::write(creditors.join("neuland.yaml"), known.replace("id: kontor", "id: neuland"))
        .unwrap();
    let said = house.run(&["dead-letters", "retry", "--as", "ada"]).well();
    assert!(said.out.contains("1 dead letter taken"), "{said:?}");
    assert_eq!(
        house.json(&["account", "timeline", "neuland/K-1"])[0]["cause"],
        "/shop#percent encoded"
    );
}

#[test]
fn once_there_is_a_token_nobody_is_heard_without_one() {
    let house = Installation::new();
    let events = house.token("shop", "events", Some("atelier"));
    let reader = house.token("eve", "read", None);
    let clerk = house.token("ada", "clerk", Some("atelier"));
    let approver = house.token("bob", "approver", None);
    let listed = house.json(&["token", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 4);
    assert!(!listed.to_string().contains(&events), "tokens are shown once");

    let server = house.serve();
    let bearer = |token: &str| format!("Bearer {token}");
    let send = |token: &str, event: &Value| {
        let token = bearer(token);
        let headers = [EVENT, ("Authorization", token.as_str())];
        server.post("/v1/events", &headers, event.to_string().as_bytes())
    };
    let own = invoice("atelier/K-1", "R-1", "10.00", "2026-11-01");
    let answer = server.post("/v1/events", &[EVENT], own.to_string().as_bytes());
    answer.problem(401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    send("kz_guessed", &own).problem(401);
    send(&reader, &own).problem(403);
    send(&clerk, &own).problem(403);
    assert_eq!(send(&events, &own).status, 202);

    // Another creditor's accounts are none of its business, and nothing of it is kept.
    let other = invoice("kontor/K-1", "R-1", "10.00", "2026-11-01");
    let mut broken = other.clone();
    broken["data"]["amount"] = json!(1);
    assert_eq!(send(&events, &other).problem(403)["pointer"], "/subject");
    send(&events, &broken).problem(403);
    let token = bearer(&events);
    let headers = [NDJSON, ("Authorization", token.as_str())];
    let mixed = lines(&[other, payment("atelier/K-1", "P-1", "1.00", "2026-11-02", "R-1"), broken]);
    let answer = server.post("/v1/events", &headers, mixed.as_bytes());
    assert_eq!(statuses(&answer.json()), ["rejected", "accepted", "rejected"]);
    assert_eq!(house.json(&["dead-letters", "list"]), json!([]));
    assert_eq!(house.json(&["book"])["accounts"], 1);

    let order = |token: &str, order: Value| {
        let token = bearer(token);
        let headers = [JSON, ("Authorization", token.as_str())];
        server.post("/v1/orders", &headers, order.to_string().as_bytes())
    };
    let hold = json!({ "order": "hold", "account": "atelier/K-1", "reason": "called" });
    let erase = json!({ "order": "erase", "account": "atelier/K-1" });
    let retry = json!({ "order": "retry_dead_letters" });
    order(&events, hold.clone()).problem(403);
    order(&reader, hold.clone()).problem(403);
    assert_eq!(order(&clerk, hold).status, 200);
    order(&clerk, erase.clone()).problem(403);
    order(&clerk, json!({ "order": "hold", "account": "kontor/K-1", "reason": "" })).problem(403);
    // All dead letters are more than one creditor's.
    order(&clerk, retry.clone()).problem(403);
    assert_eq!(order(&approver, retry).status, 200);
    assert_eq!(order(&approver, erase).status, 200);
}

#[test]
fn beyond_this_machine_nobody_listens_without_a_token() {
    let house = Installation::new();
    house
        .run(&["serve", "--listen", "0.0.0.0:0"])
        .refused(&["kulanz token create", "listen on 127.0.0.1"]);
}

#[test]
fn bodies_have_a_largest_size() {
    let house = Installation::new();
    let server = house.serve();
    let body = vec![b' '; (16 << 20) + 1];
    assert_eq!(server.post("/v1/events", &[NDJSON], &body).status, 413);
    let mut large = invoice("atelier/K-1", "R-1", "10.00", "2026-11-01");
    large["data"]["description"] = json!("x".repeat(10_000_000));
    let problem = server.post("/v1/events", &[EVENT], large.to_string().as_bytes()).problem(422);
    assert!(problem["type"].as_str().unwrap().ends_with(":too_large"), "{problem}");
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn one_data_folder_has_one_server_and_imports_wait_for_their_turn() {
    let house = Installation::new();
    let server = house.serve();
    house.run(&["serve", "--listen", "127.0.0.1:0"]).refused(&["is in use"]);
    let file = house.events("more.ndjson", &[invoice("atelier/K-1", "R-1", "1.00", "2026-11-01")]);
    house.import(&file).refused(&["is in use"]);
    house.run(&["rebuild"]).refused(&["is in use"]);
    house.run(&["token", "create", "--person", "x", "--role", "read"]).refused(&["stop it"]);
    server.stop();
    house.import(&file).well();
}

#[test]
fn a_policy_with_the_same_version_and_other_content_is_refused() {
    let house = Installation::new();
    house.serve().stop();
    let file = house.config().join("policies/atelier-private/policy.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("due + 4d", "due + 5d")).unwrap();
    house.run(&["serve", "--listen", "127.0.0.1:0"]).refused(&["other content", "a new version"]);
    std::fs::write(&file, text.replace("due + 4d", "due + 5d").replace("version: 1", "version: 2"))
        .unwrap();
    house.serve().stop();
}

#[test]
fn a_server_that_is_told_to_stop_ends_soon_and_well() {
    let house = Installation::new();
    let server = house.serve();
    let begun = Instant::now();
    server.stop();
    assert!(begun.elapsed().as_secs() < 5);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let house = Installation::new();
    let events: Vec<Value> = (0..3_000)
        .map(|n| invoice("atelier/K-1", &format!("R-{n}"), "1.00", "2026-11-01"))
        .collect();
    house.import(&house.events("many.ndjson", &events)).well();
    let mut command = house.command(&["account", "timeline", "atelier/K-1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = eventually("it ends", || child.try_wait().unwrap());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(ended.success() && said.is_empty(), "{ended}: {said}");
}
