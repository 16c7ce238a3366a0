//! `kulanz topics`, and connections that fail: each says what to do.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    super::{events::invoice, world::Installation},
    INBOUND, OUTBOUND, PARTITIONS, Topics, server,
};

fn with(house: &Installation, mut settings: Value, changes: &[(&str, Value)]) {
    for (name, value) in changes {
        settings[*name] = value.clone();
    }
    house.settings(&json!({ "kafka": settings }));
}

#[test]
fn topics_are_made_checked_and_found_wrong() {
    let test = "topics_are_made_checked_and_found_wrong";
    let Some(broker) = server::real(test) else { return };
    let house = Installation::new();
    let topics = Topics::named(&broker.ask("address"));
    with(&house, topics.settings(), &[("replication", json!(1))]);

    let check = house.run(&["topics", "check", "--json"]);
    assert_eq!(check.code, 1);
    let missing = check.json();
    assert!(missing.as_array().unwrap().iter().all(|one| one["state"] == "missing"), "{missing}");
    let start = || house.run(&["serve", "--listen", "127.0.0.1:0"]);
    start().refused(&["kulanz.invoices is not there", "`kulanz topics create`"]);

    let made = house.json(&["topics", "create"]);
    let names: Vec<&str> =
        made.as_array().unwrap().iter().map(|one| one["topic"].as_str().unwrap()).collect();
    let expected: Vec<String> =
        INBOUND.iter().chain(&OUTBOUND).map(|name| topics.full(name)).collect();
    assert_eq!(names, expected);
    for one in made.as_array().unwrap() {
        assert_eq!((&one["state"], &one["partitions"]), (&json!("made"), &json!(PARTITIONS)));
    }
    let again = house.run(&["topics", "create"]).well();
    assert!(again.out.contains("well") && !again.out.contains("made"), "{}", again.out);

    with(&house, topics.settings(), &[("partitions", json!(8))]);
    let check = house.run(&["topics", "check"]);
    assert_eq!(check.code, 1);
    assert!(check.out.contains("has 4 partitions instead of 8"), "{}", check.out);
    start().refused(&["kulanz.invoices has 4 partitions instead of 8", "`kulanz topics"]);
    with(&house, topics.settings(), &[("replication", json!(3))]);
    let check = house.run(&["topics", "check"]);
    assert!(check.out.contains("1 copies instead of 3"), "{}", check.out);
    let more = Topics::named(&topics.address);
    with(&house, more.settings(), &[("replication", json!(3))]);
    house.run(&["topics", "create"]).refused(&["fewer brokers", "kafka.replication"]);
}

#[test]
fn what_is_not_to_be_had_is_refused_with_what_helps() {
    let test = "what_is_not_to_be_had_is_refused_with_what_helps";
    let Some(broker) = server::real(test) else { return };
    let house = Installation::new();
    house.run(&["topics", "check"]).refused(&["no `kafka:` in kulanz.yaml"]);
    house.settings(&json!({ "kafka": { "brokers": "127.0.0.1:1" } }));
    house.run(&["topics", "check"]).refused(&["no broker answers at 127.0.0.1:1"]);

    let secure = Topics::named(&broker.ask("secure"));
    let (user, guest) = (broker.ask("user"), broker.ask("guest"));
    let (user, password) = user.split_once(' ').unwrap();
    let (guest, _) = guest.split_once(' ').unwrap();
    let file = house.file("password", format!("{password}\n"));
    let wrong = house.file("wrong", "falsch");
    let certificate = broker.ask("certificate");
    let security = |user: &str, file: &std::path::Path, ca: Option<&str>| {
        let password = json!({ "file": file });
        json!({ "sasl": "scram_sha_256", "user": user, "password": password, "ca": ca })
    };
    let set = |security: Value| with(&house, secure.settings(), &[("security", security)]);
    let check = || house.run(&["topics", "check"]);

    house.settings(&json!({ "kafka": secure.settings() }));
    check().refused(&["no broker answers", "TLS"]);
    set(security(user, &file, None));
    check().refused(&["TLS with the brokers", "kafka.security.ca"]);
    set(security(user, &wrong, Some(&certificate)));
    check().refused(&["refuse user `kulanz`", "password"]);
    set(security(user, &house.path("nowhere"), Some(&certificate)));
    check().refused(&["kafka.security.password", "nowhere"]);
    set(security(guest, &file, Some(&certificate)));
    house.run(&["topics", "create"]).refused(&["does not allow this to `guest`", "Create"]);

    // And the way it should be, to the end.
    set(security(user, &file, Some(&certificate)));
    house.run(&["topics", "create"]).well();
    let mut other = security(user, &file, Some(&certificate));
    other["sasl"] = json!("scram_sha_512");
    set(other);
    let served = house.serve();
    let plain = Topics { address: broker.ask("address"), prefix: secure.prefix.clone(), ..secure };
    let plain = Topics { producer: Topics::named(&plain.address).producer, ..plain };
    plain.send_all(&[invoice("atelier/K-1", "R-1", "7.00", "2026-03-15")]);
    plain.drained(&house);
    super::outbound::tells_the_log(&house, &plain);
    assert!(!house.log().contains(password), "{}", house.log());
    served.stop();
}

/// An identity provider: gives whoever knows the secret a token that nobody signed. What it was
/// asked is noted.
fn provider() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).unwrap() > 2 {
                let line = head.lines().last().unwrap().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let authorization =
                base64::engine::general_purpose::STANDARD.encode("kulanz:ge%2Fheim");
            let known = head.contains(&authorization);
            notes.lock().unwrap().push(String::from_utf8(body).unwrap());
            let now = jiff::Timestamp::now().as_second();
            let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
            let claims = json!({ "sub": "kulanz", "iat": now - 5, "exp": now + 300 });
            let token = format!("{}.{}.", part(json!({ "alg": "none" })), part(claims));
            let (status, body) = match known {
                true => ("200 OK", json!({ "access_token": token, "expires_in": 300 })),
                false => ("401 Unauthorized", json!({ "error": "invalid_client" })),
            };
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
            let rest = "Content-Type: application/json\r\nConnection: close\r\n\r\n";
            write!(stream, "{head}{rest}{body}").unwrap();
        }
    });
    (url, asked)
}

#[test]
fn a_token_of_an_identity_provider_opens_the_cluster() {
    let test = "a_token_of_an_identity_provider_opens_the_cluster";
    let Some(broker) = server::real(test) else { return };
    let house = Installation::new();
    let topics = Topics::named(&broker.ask("address"));
    let (url, asked) = provider();
    let secret = house.file("secret", "ge/heim\n");
    let mut settings = topics.settings();
    settings["brokers"] = json!(broker.ask("token"));
    settings["security"] = json!({ "tls": false, "sasl": "oauthbearer", "oauth": {
        "token_url": url, "client": "kulanz", "secret": { "file": secret }, "scope": "kafka" } });
    house.settings(&json!({ "kafka": settings }));
    let by_hand = format!("--create --topic {} --partitions 4", topics.full("kulanz.invoices"));
    house.run(&["topics", "create"]).refused(&["with a token", &by_hand]);
    house.settings(&json!({ "kafka": topics.settings() }));
    house.run(&["topics", "create"]).well();
    house.settings(&json!({ "kafka": settings }));
    house.run(&["topics", "check"]).well();
    assert_eq!(asked.lock().unwrap()[0], "grant_type=client_credentials&scope=kafka");
    let served = house.serve();
    topics.send_all(&[invoice("atelier/K-1", "R-1", "7.00", "2026-03-15")]);
    topics.drained(&house);
    super::outbound::tells_the_log(&house, &topics);
    served.stop();
    house.file("secret", "falsch");
    house.run(&["topics", "check"]).refused(&["no token of `kulanz`", "kafka.security.oauth"]);
}
