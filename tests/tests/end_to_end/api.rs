//! What a shop without Kafka asks over HTTP: accounts, events, messages, paylinks; problems; keys.

use serde_json::{Value, json};

use super::{
    delivery::{overdue, states},
    events::invoice,
    http::{self, Answer, EVENT, JSON, NDJSON},
    world::{Installation, Server, eventually, lines},
};

/// A request with a token, or with none where it is empty.
fn ask(server: &Server, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![];
    if !token.is_empty() {
        headers.push(("Authorization", bearer.as_str()));
    }
    if body.is_some() {
        headers.push(JSON);
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    http::request(&server.address, method, path, &headers, body.as_bytes()).expect("an answer")
}

fn keyed(server: &Server, token: &str, key: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [JSON, ("Authorization", bearer.as_str()), ("Idempotency-Key", key)];
    server.post(path, &headers, body.to_string().as_bytes())
}

/// An installation with an account that got its reminder.
fn reminded() -> (Installation, Server) {
    let house = Installation::new();
    let server = house.serve();
    server.accept(&overdue("atelier/K-1", "email", "kim@example.org", "+447700900001"));
    server.accept(&[invoice("kontor/K-9", "R-9", "5.00", "2036-01-01")]);
    eventually("the reminder is on the outbox page", || {
        (states(&house, "atelier/K-1") == ["sent"]).then_some(())
    });
    (house, server)
}

#[test]
fn an_account_is_told_with_its_claims_and_what_comes_next_and_without_personal_data() {
    let (house, server) = reminded();
    let answer = server.get("/v1/accounts/atelier/K-1");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let told = answer.json();
    let shown = house.json(&["account", "show", "atelier/K-1"]);
    assert_eq!(told["account"], "atelier/K-1");
    assert_eq!(told["version"], shown["version"]);
    let (book, claim) = (&told["books"][0], &told["books"][0]["claims"][0]);
    assert_eq!((&book["currency"], &book["open_claims"]), (&json!("EUR"), &json!(1)));
    assert_eq!((&claim["invoice"], &claim["open"]), (&json!("R-K-1"), &json!("89.90")));
    assert_eq!((&claim["state"], &claim["level"]), (&json!("open"), &json!("reminder")));
    let explained = house.json(&["policy", "explain", "atelier/K-1"]);
    assert_eq!(told["next"]["step"], explained["next"]["step"]);
    assert_eq!(claim["next_step"]["step"], told["next"]["step"]);
    assert_eq!(claim["next_step"]["waits"]["reason"], "not_before");
    assert_eq!(claim["next_step"]["waits"]["why"], "its day has not come");
    for personal in ["kim@example.org", "Kim K-1", "7700900001"] {
        assert!(!answer.body.contains(personal), "{personal}: {}", answer.body);
    }

    let hold = json!({ "order": "hold", "account": "atelier/K-1", "reason": "is in hospital" });
    assert_eq!(ask(&server, "", "POST", "/v1/orders", Some(&hold)).status, 200);
    let told = server.get("/v1/accounts/atelier/K-1");
    assert_eq!(told.json()["blocked"]["reason"], "on_hold");
    assert_eq!(told.json()["holds"][0]["released"], false);
    assert!(!told.body.contains("hospital"));
}

#[test]
fn accounts_are_listed_page_by_page() {
    let house = Installation::new();
    let server = house.serve();
    let events: Vec<Value> = (1..=5)
        .map(|n| invoice(&format!("atelier/K-{n}"), &format!("R-{n}"), "10.00", "2036-01-01"))
        .chain([invoice("kontor/K-9", "R-9", "5.00", "2036-01-01")])
        .collect();
    server.accept(&events);
    let page = |query: &str| server.get(&format!("/v1/accounts{query}")).json();
    let names = |page: &Value| -> Vec<String> {
        let rows = page["accounts"].as_array().unwrap();
        rows.iter().map(|row| row["account"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&page("")).len(), 6);
    let mut all = Vec::new();
    let mut next = page("?creditor=atelier&limit=2");
    loop {
        all.extend(names(&next));
        let Some(after) = next["next"].as_str() else { break };
        next = page(&format!("?creditor=atelier&limit=2&after={after}"));
    }
    assert_eq!(all, ["atelier/K-1", "atelier/K-2", "atelier/K-3", "atelier/K-4", "atelier/K-5"]);
    assert_eq!(page("?creditor=kontor")["accounts"][0]["books"][0]["open"], "5.00");
    assert_eq!(page("?creditor=nobody"), json!({ "accounts": [] }));
    for wrong in ["?limit=0", "?limit=501", "?limit=ten", "?creditor=a%20b", "?page=2"] {
        let problem = server.get(&format!("/v1/accounts{wrong}")).problem(400);
        assert_eq!(problem["type"], "urn:kulanz:problem:malformed");
    }
}

#[test]
fn the_events_of_an_account_are_cloud_events_without_names() {
    let (house, server) = reminded();
    let hold = json!({ "order": "hold", "account": "atelier/K-1", "reason": "called" });
    let headers = [JSON, ("x-kulanz-person", "Ada Lovelace")];
    assert_eq!(server.post("/v1/orders", &headers, hold.to_string().as_bytes()).status, 200);
    let first = server.get("/v1/accounts/atelier/K-1/events?limit=3");
    assert_eq!(first.json()["next"], 3);
    let rest = server.get("/v1/accounts/atelier/K-1/events?after=3");
    assert_eq!(rest.json()["next"], Value::Null);
    let events = [first.json(), rest.json()].map(|page| page["events"].as_array().unwrap().clone());
    let events = events.concat();
    let kinds = house.kinds("atelier/K-1");
    assert_eq!(events.len(), kinds.len());
    let mut before = 0;
    for (at, (event, kind)) in events.iter().zip(&kinds).enumerate() {
        let word = event["type"].as_str().unwrap().strip_prefix("kulanz.account.").unwrap();
        let word = word.strip_suffix(".v1").unwrap().replace('_', "");
        assert_eq!(word, kind.to_lowercase());
        assert_eq!(event["accountversion"], at + 1);
        let position: u64 = event["id"].as_str().unwrap().parse().unwrap();
        assert!(position > before, "{events:?}");
        before = position;
    }
    let last = events.last().unwrap();
    assert_eq!(last["type"], "kulanz.account.hold_placed.v1");
    for named in ["Ada", "ada", "Kim", "kim@"] {
        assert!(!last.to_string().contains(named) && !first.body.contains(named), "{named}");
    }
    let none = server.get(&format!("/v1/accounts/atelier/K-1/events?after={}", u64::MAX));
    assert_eq!(none.json(), json!({ "events": [] }));
    server.get("/v1/accounts/atelier/K-2/events").problem(404);
    server.get("/v1/accounts/atelier/K-1/events?after=-1").problem(400);
}

#[test]
fn a_token_opens_what_it_is_for_and_of_others_nobody_learns_whether_they_are_there() {
    let house = Installation::new();
    let reader = house.token("eve", "read", Some("atelier"));
    let shop = house.token("shop", "events", Some("atelier"));
    let all = house.token("hub", "events", None);
    let clerk = house.token("ada", "clerk", Some("atelier"));
    let server = house.serve();
    let bearer = format!("Bearer {all}");
    let headers = [NDJSON, ("Authorization", bearer.as_str())];
    let mut events = overdue("atelier/K-1", "email", "kim@example.org", "+447700900001");
    events.extend(overdue("kontor/K-1", "email", "kontor@example.org", "+447700900001"));
    assert_eq!(server.post("/v1/events", &headers, lines(&events).as_bytes()).status, 202);
    let notice = eventually("a reminder is there", || {
        let rows = house.json(&["outbox", "list"]);
        let rows = rows.as_array().unwrap();
        let sent = rows.iter().find(|row| row["state"] == "sent")?;
        Some(sent["notice"].as_str().unwrap().to_owned())
    });
    let status =
        |token: &str, method: &str, path: &str| ask(&server, token, method, path, None).status;

    let own = "/v1/accounts/atelier/K-1";
    let other = ask(&server, &reader, "GET", "/v1/accounts/kontor/K-1", None).problem(404);
    let unknown = ask(&server, &reader, "GET", "/v1/accounts/atelier/K-77", None).problem(404);
    assert_eq!(other, unknown);
    for account in ["/v1/accounts/a%20b/K-1", "/v1/accounts/%ff/K-1", "/v1/accounts/../K-1"] {
        assert_eq!(ask(&server, &reader, "GET", account, None).problem(404)["status"], 404);
    }
    for path in [own.to_owned(), format!("{own}/events"), "/v1/accounts".to_owned()] {
        assert_eq!(status("", "GET", &path), 401, "{path}");
        assert_eq!(status("kz_guessed", "GET", &path), 401, "{path}");
        assert_eq!(status(&reader, "GET", &path), 200, "{path}");
        assert_eq!(status(&clerk, "GET", &path), 200, "{path}");
        assert_eq!(status(&shop, "GET", &path), 403, "{path}");
    }
    let listed = ask(&server, &reader, "GET", "/v1/accounts", None).json();
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 1);
    let listed = ask(&server, &reader, "GET", "/v1/accounts?creditor=kontor", None).json();
    assert_eq!(listed, json!({ "accounts": [] }));

    let message = format!("/v1/notices/{notice}");
    let told = ask(&server, &shop, "GET", &message, None);
    assert_eq!((told.status, told.header("cache-control")), (200, Some("no-store")));
    let told = told.json();
    assert_eq!((&told["account"], &told["channel"]), (&json!("atelier/K-1"), &json!("email")));
    assert_eq!((&told["state"], &told["step"]), (&json!("sent"), &json!("reminder")));
    assert_eq!(told["message"]["to"], "kim@example.org");
    assert_eq!(told["message"]["subject"], "Atelier: reminder");
    assert!(told["message"]["html"].as_str().unwrap().contains("/p/"));
    assert!(house.log().contains(&notice), "it is told who read what");
    assert!(!house.log().contains("kim@example.org"));
    assert_eq!(status(&reader, "GET", &message), 403);
    assert_eq!(status(&clerk, "GET", &message), 403);
    let detail = ask(&server, &all, "GET", &message, None).problem(403);
    assert!(detail["detail"].as_str().unwrap().contains("--creditor"), "{detail}");
    ask(&server, &shop, "GET", "/v1/notices/N-0123456789abcdef-1-0", None).problem(404);
    ask(&server, &shop, "GET", "/v1/notices/%00", None).problem(404);

    let paylinks = format!("{own}/paylinks");
    assert_eq!(status(&reader, "POST", &paylinks), 403);
    assert_eq!(status(&shop, "POST", "/v1/accounts/kontor/K-1/paylinks"), 404);
    assert_eq!(status(&shop, "POST", "/v1/accounts/atelier/K-77/paylinks"), 404);
    assert_eq!(status(&shop, "POST", &paylinks), 201);
}

#[test]
fn a_paylink_on_demand_opens_the_debtors_page_until_it_expires() {
    let (house, server) = reminded();
    let paylinks = "/v1/accounts/atelier/K-1/paylinks";
    let made = ask(&server, "", "POST", paylinks, Some(&json!({ "days": 7 })));
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")));
    let url = made.json()["url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(&format!("http://{}", server.address)).unwrap();
    assert!(server.get(path).body.contains("89.90"));
    let expires: jiff::Timestamp = made.json()["expires_at"].as_str().unwrap().parse().unwrap();
    let days = expires.duration_since(jiff::Timestamp::now()).as_hours() / 24;
    assert!((6..=7).contains(&days), "{days}");
    let token = path.strip_prefix("/p/").unwrap();
    for entry in std::fs::read_dir(house.data()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|w| w == token.as_bytes()), "kept in the clear");
    }
    for wrong in [json!({ "days": 0 }), json!({ "days": 121 }), json!({ "hours": 1 }), json!([])] {
        ask(&server, "", "POST", paylinks, Some(&wrong)).problem(400);
    }
    server.post(paylinks, &[], b"{}").problem(415);

    let erase = json!({ "order": "erase", "account": "atelier/K-1" });
    assert_eq!(ask(&server, "", "POST", "/v1/orders", Some(&erase)).status, 200);
    ask(&server, "", "POST", paylinks, None).problem(409);
    assert_eq!(server.get(path).status, 404);
    assert!(server.get("/v1/accounts/atelier/K-1").json()["erased_at"].is_string());
}

#[test]
fn whatever_goes_wrong_is_a_problem_that_says_what_to_do() {
    let house = Installation::new();
    let server = house.serve();
    let order = |headers: &[(&str, &str)], body: &[u8]| server.post("/v1/orders", headers, body);
    let kind = |answer: &Answer, status: u16| -> String {
        let problem = answer.problem(status);
        assert_eq!(problem["status"], status);
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        problem["type"].as_str().unwrap().strip_prefix("urn:kulanz:problem:").unwrap().to_owned()
    };
    let malformed = order(&[JSON], b"{\"order\":\"hold\"");
    assert_eq!(kind(&malformed, 400), "malformed");
    let missing = order(&[JSON], br#"{"order":"hold","account":"atelier/K-1"}"#);
    assert_eq!(kind(&missing, 400), "malformed");
    assert!(missing.json()["detail"].as_str().unwrap().contains("reason"), "{missing:?}");
    let other = order(&[JSON], br#"{"order":"shout"}"#);
    assert!(other.json()["detail"].as_str().unwrap().contains("hold"), "it names what there is");
    assert_eq!(kind(&order(&[("Content-Type", "text/plain")], b"{}"), 415), "content_type");
    assert_eq!(kind(&order(&[], b"{}"), 415), "content_type");
    let refused = order(&[JSON], br#"{"order":"hold","account":"atelier/K-1","reason":"x"}"#);
    assert_eq!(kind(&refused, 409), "refused");
    let large = vec![b' '; (16 << 20) + 1];
    assert_eq!(kind(&order(&[JSON], &large), 413), "too_large");
    assert_eq!(kind(&server.post("/v1/events", &[EVENT], &large), 413), "too_large");
    assert_eq!(kind(&server.get("/v1/nothing"), 404), "no_such_path");
    assert_eq!(kind(&server.get("/nothing/at/all"), 404), "no_such_path");
    let method = server.get("/v1/orders");
    assert_eq!(kind(&method, 405), "method_not_allowed");
    assert_eq!(method.header("allow"), Some("POST"));
    let method = ask(&server, "", "DELETE", "/v1/accounts/atelier/K-1", None);
    assert_eq!(kind(&method, 405), "method_not_allowed");
    assert_eq!(method.header("allow"), Some("GET,HEAD"));
}

#[test]
fn who_may_not_is_told_so_before_the_body_is_read() {
    use std::io::{Read, Write};
    let house = Installation::new();
    let reader = house.token("eve", "read", None);
    let server = house.serve();
    for (token, status) in [("kz_guessed", "401"), (reader.as_str(), "403")] {
        for path in ["/v1/events", "/v1/orders", "/v1/accounts/atelier/K-1/paylinks"] {
            let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
            stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
            // Of sixteen announced mebibytes nothing is sent: whoever reads first waits for ever.
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: \
                 application/json\r\nContent-Length: 16777216\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {status}"));
        }
    }
}

#[test]
fn a_command_with_a_key_is_done_once_also_across_a_restart() {
    let house = Installation::new();
    let ada = house.token("ada", "clerk", None);
    let bob = house.token("bob", "clerk", None);
    let shop = house.token("shop", "events", None);
    let server = house.serve();
    let bearer = format!("Bearer {shop}");
    let event = invoice("atelier/K-1", "R-1", "10.00", "2036-01-01").to_string();
    let headers = [EVENT, ("Authorization", bearer.as_str())];
    assert_eq!(server.post("/v1/events", &headers, event.as_bytes()).status, 202);

    let hold = json!({ "order": "hold", "account": "atelier/K-1", "reason": "called" });
    let give = |server: &Server, token: &str, key: &str, order: &Value| {
        keyed(server, token, key, "/v1/orders", order)
    };
    let first = give(&server, &ada, "\"k-1\"", &hold);
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, None));
    let again = give(&server, &ada, "\"k-1\"", &hold);
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let longer = json!({ "order": "hold", "account": "atelier/K-1", "reason": "wrote" });
    let reused = give(&server, &ada, "\"k-1\"", &longer).problem(422);
    assert_eq!(reused["type"], "urn:kulanz:problem:idempotency_key_reused");
    give(&server, &ada, "\"k 1\"", &hold).problem(400);
    // Another's key is another key.
    let of_bob = give(&server, &bob, "\"k-1\"", &hold);
    assert_eq!((of_bob.status, of_bob.header("idempotency-replayed")), (200, None));
    assert_ne!(of_bob.body, first.body);
    // A refusal is an answer too.
    let unknown = json!({ "order": "hold", "account": "atelier/K-7", "reason": "called" });
    let refused = give(&server, &ada, "k-2", &unknown);
    refused.problem(409);
    let again = give(&server, &ada, "k-2", &unknown);
    again.problem(409);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    let paylinks = "/v1/accounts/atelier/K-1/paylinks";
    let link = keyed(&server, &shop, "k-3", paylinks, &json!({}));
    assert_eq!(link.status, 201);
    assert_eq!(keyed(&server, &shop, "k-3", paylinks, &json!({})).body, link.body);
    server.kill();
    let token = link.json()["url"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    for entry in std::fs::read_dir(house.data()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|w| w == token.as_bytes()), "kept in the clear");
    }

    let server = house.serve();
    let again = give(&server, &ada, "k-1", &hold);
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(keyed(&server, &shop, "k-3", paylinks, &json!({})).body, link.body);
    let kinds = house.kinds("atelier/K-1");
    assert_eq!(kinds.iter().filter(|kind| *kind == "HoldPlaced").count(), 2, "{kinds:?}");
}

#[test]
fn of_many_that_give_one_command_at_once_one_does_it() {
    let house = Installation::new();
    let server = house.serve();
    server.accept(&[invoice("atelier/K-1", "R-1", "10.00", "2036-01-01")]);
    let hold = json!({ "order": "hold", "account": "atelier/K-1", "reason": "called" }).to_string();
    let headers = [JSON, ("Idempotency-Key", "\"one\"")];
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| server.post("/v1/orders", &headers, hold.as_bytes())))
            .collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
    }
    let replayed = |answer: &&Answer| answer.header("idempotency-replayed") == Some("true");
    assert_eq!(answers.iter().filter(replayed).count(), 11);
    assert_eq!(house.kinds("atelier/K-1").iter().filter(|kind| *kind == "HoldPlaced").count(), 1);
}

#[test]
fn a_command_of_many_writes_whose_server_died_is_gone_on_with() {
    let house = Installation::new();
    let server = house.serve();
    let retry = json!({ "order": "retry_dead_letters" });
    let headers = [JSON, ("Idempotency-Key", "\"one\"")];
    let give = |server: &Server| server.post("/v1/orders", &headers, retry.to_string().as_bytes());
    let first = give(&server);
    assert_eq!(first.status, 200);
    let again = give(&server);
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    server.kill();
    // As if the server had died before its answer was kept.
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    let before = "UPDATE requests SET answer = NULL, begun_at = begun_at - 180000000";
    assert_eq!(database.execute(before, []).unwrap(), 1);
    drop(database);
    let server = house.serve();
    let again = give(&server);
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotency-replayed"), None);
    let again = give(&server);
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, Some("true")));
    server.kill();
    // Who has the data alone knows at once that nobody works on it any more.
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    let now = "UPDATE requests SET answer = NULL, begun_at = begun_at + 180000000";
    assert_eq!(database.execute(now, []).unwrap(), 1);
    drop(database);
    let server = house.serve();
    let again = give(&server);
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotency-replayed"), None);
}
