//! What a server shows of itself: health, metrics, logs. Never anything about a person.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    events,
    world::{Installation, eventually},
};

const ACCOUNT: &str = "atelier/K-1";

/// Names of the metrics in a text for Prometheus, without the suffixes of histograms.
fn names(text: &str) -> BTreeSet<&str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).collect()
}

/// The value of one line of them.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(&format!("{series} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_server_shows_its_figures_and_its_logs_are_json_without_persons() {
    let house = Installation::new();
    house.settings(&json!({ "telemetry": { "logs": "json" } }));
    let server = house.serve_with(&[("KULANZ_LOG", "debug")]);
    assert_eq!(server.get("/healthz").body, "ok\n");
    assert_eq!(server.get("/readyz").body, "ok\n");
    server.accept(&[
        events::debtor(ACCOUNT, "regular", "mia.secret@example.org", "+4915112345678"),
        events::invoice(ACCOUNT, "R-1", "49.90", &events::day(-10)),
    ]);
    // The debtor is called at noon, so the reminder leaves at once.
    let text = eventually("a message in the metrics", || {
        let text = server.get("/metrics").body;
        value(&text, "kulanz_messages_total{channel=\"email\",end=\"sent\"}").map(|_| text)
    });
    assert_eq!(value(&text, "kulanz_events_total{origin=\"http\",status=\"accepted\"}"), Some(2.0));
    assert!(value(&text, "kulanz_decisions_total") >= Some(1.0), "{text}");
    assert!(value(&text, "kulanz_appends_total{outcome=\"committed\"}") >= Some(2.0), "{text}");
    assert_eq!(value(&text, "kulanz_store_up"), Some(1.0));
    assert_eq!(value(&text, "kulanz_send_seconds_count{channel=\"email\"}"), Some(1.0));
    for name in ["kulanz_commit_seconds", "kulanz_batch_appends", "kulanz_dead_letters_open"] {
        assert!(names(&text).contains(name), "{name}: {text}");
    }
    server.stop();
    let log = house.log();
    let mut lines = 0;
    for line in log.lines().filter(|line| line.starts_with('{')) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        assert_ne!(line["target"], "metric");
        lines += 1;
    }
    assert!(lines > 0, "{log}");
    for personal in ["mia.secret", "4915112345678", "Kim K-1"] {
        let told = log.lines().find(|line| line.contains(personal));
        assert!(told.is_none() && !text.contains(personal), "{personal}: {told:?}");
    }
}

#[test]
fn figures_are_not_for_everybody() {
    let house = Installation::new();
    let shop = house.token("shop", "events", None);
    let one = house.token("controller", "read", Some("atelier"));
    let all = house.token("monitor", "read", None);
    let server = house.serve();
    assert_eq!(server.get("/metrics").problem(401)["type"], "urn:kulanz:problem:unauthorized");
    let ask = |token: &str| {
        let bearer = format!("Bearer {token}");
        super::http::request(&server.address, "GET", "/metrics", &[("Authorization", &bearer)], b"")
            .unwrap()
    };
    ask(&shop).problem(403);
    ask(&one).problem(403);
    assert_eq!(ask(&all).status, 200);
    // Whether it lives is for whoever starts it again.
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    server.stop();
}

/// Takes what is posted to it until `wanted` has come in one body, then gives that body.
fn collector(wanted: &'static [&'static [u8]]) -> (String, std::sync::mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 0) && line != "\r\n" {
                let (name, value) = line.split_once(':').unwrap_or_default();
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if stream.read_exact(&mut body).is_err() {
                continue;
            }
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.get_mut().write_all(answer);
            let holds = |what: &[u8]| body.windows(what.len()).any(|part| part == what);
            if wanted.iter().all(|what| holds(what)) {
                let _ = tell.send(body);
                return;
            }
        }
    });
    (address, told)
}

#[test]
fn the_trace_that_a_shop_began_goes_on() {
    const TRACE: &[u8] = &[
        0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47,
        0x36,
    ];
    const PARENT: &[u8] = &[0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];
    const WANTED: &[&[u8]] = &[TRACE, PARENT, b"intake.take_event", ACCOUNT.as_bytes()];
    let (address, spans) = collector(WANTED);
    let house = Installation::new();
    // None that is begun here is kept: whether this one is was the shop's decision.
    house.settings(&json!({ "telemetry": { "otlp": address, "traces": 0.0 } }));
    let server = house.serve();
    let mut invoice = events::invoice(ACCOUNT, "R-1", "49.90", &events::day(-10));
    invoice["traceparent"] = json!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let debtor = events::debtor(ACCOUNT, "regular", "mia.secret@example.org", "+4915112345678");
    server.accept(&[debtor, invoice]);
    // What is still here when it ends is sent.
    server.stop();
    let body = spans.recv_timeout(Duration::from_secs(20)).expect("the spans come");
    assert!(!body.windows(10).any(|part| part == b"mia.secret"));
}

#[test]
fn a_collector_without_an_address_is_refused_at_the_start() {
    let house = Installation::new();
    for (settings, word) in [
        (json!({ "telemetry": { "otlp": "nowhere" } }), "telemetry.otlp: `nowhere` is no address"),
        (json!({ "telemetry": { "otpl": "http://127.0.0.1:4318" } }), "otpl"),
    ] {
        house.settings(&settings);
        house.run(&["serve", "--listen", "127.0.0.1:0"]).refused(&[word]);
    }
}
