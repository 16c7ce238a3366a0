//! What one event or one wake-up led to, told to a real receiver of OTLP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;

use super::{
    delivery::overdue,
    events,
    world::{Installation, Server, eventually, lines},
};

pub const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub const SHOP: &str = "00f067aa0ba902b7";

/// A span as it was told; ids in hexadecimal digits.
#[derive(Debug, Clone, Default)]
pub struct Span {
    trace: String,
    pub id: String,
    pub parent: String,
    name: String,
    /// Names of spans elsewhere that it belongs to as well.
    links: Vec<String>,
    /// Those that are texts or whole numbers.
    attributes: Vec<(String, String)>,
}

impl Span {
    #[track_caller]
    pub fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("{name}: {self:?}")).1
    }
}

/// An OpenTelemetry collector that keeps what it is told.
pub struct Collector {
    pub address: String,
    spans: Arc<Mutex<Vec<Span>>>,
    /// All bytes, to look for what must not be there.
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (spans, bytes) = <(Arc<Mutex<Vec<Span>>>, Arc<Mutex<Vec<u8>>>)>::default();
        let (kept, raw) = (Arc::clone(&spans), Arc::clone(&bytes));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some((path, body)) = request(stream.unwrap()) else { continue };
                raw.lock().unwrap().extend(&body);
                if path == "/v1/traces" {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).extend(read(&body));
                }
            }
        });
        Self { address, spans, bytes }
    }

    pub fn named(&self, trace: &str, name: &str) -> Vec<Span> {
        let mut spans = self.spans.lock().unwrap().clone();
        spans.retain(|span| span.trace == trace && span.name == name);
        spans
    }

    pub fn traces(&self) -> Vec<String> {
        let spans = self.spans.lock().unwrap();
        let mut traces: Vec<String> = spans.iter().map(|span| span.trace.clone()).collect();
        traces.sort();
        traces.dedup();
        traces
    }

    /// Nothing of a person is among what it was told.
    #[track_caller]
    pub fn has_none_of(&self, personal: &[&str]) {
        let bytes = self.bytes.lock().unwrap();
        for datum in personal {
            let found = bytes.windows(datum.len()).any(|part| part == datum.as_bytes());
            assert!(!found, "{datum}");
        }
    }
}

/// Path and body of one request, which is answered.
fn request(stream: std::net::TcpStream) -> Option<(String, Vec<u8>)> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.get_mut().write_all(answer).ok()?;
    Some((path, body))
}

/// A value in the encoding of Protocol Buffers.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn number(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The fields of one message, each with its number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = number(&mut bytes);
        let length = match key & 7 {
            0 => {
                found.push((key >> 3, Field::Number(number(&mut bytes))));
                continue;
            }
            1 => 8,
            2 => number(&mut bytes) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(length);
        found.push((key >> 3, Field::Bytes(value)));
        bytes = rest;
    }
    found
}

/// The parts of a message under this number.
fn parts(bytes: &[u8], wanted: u64) -> Vec<&[u8]> {
    let of = |(number, field)| match field {
        Field::Bytes(bytes) if number == wanted => Some(bytes),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(of).collect()
}

fn text(bytes: &[u8], wanted: u64) -> String {
    String::from_utf8(parts(bytes, wanted).concat()).unwrap()
}

fn digits(bytes: &[u8], wanted: u64) -> String {
    parts(bytes, wanted).concat().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of an `ExportTraceServiceRequest` (opentelemetry-proto, trace/v1).
fn read(body: &[u8]) -> Vec<Span> {
    let of_resources = parts(body, 1);
    let of_scopes = of_resources.into_iter().flat_map(|resource| parts(resource, 2));
    let spans = of_scopes.flat_map(|scope| parts(scope, 2));
    spans.map(read_span).collect()
}

fn read_span(bytes: &[u8]) -> Span {
    let value = |attribute: &[u8]| {
        let value = parts(attribute, 2).concat();
        match fields(&value).pop() {
            Some((1, Field::Bytes(text))) => Some(String::from_utf8(text.to_vec()).unwrap()),
            Some((3, Field::Number(number))) => Some(number.to_string()),
            _ => None,
        }
    };
    let attributes = parts(bytes, 9);
    let named = |attribute: &&[u8]| Some((text(attribute, 1), value(attribute)?));
    Span {
        trace: digits(bytes, 1),
        id: digits(bytes, 2),
        parent: digits(bytes, 4),
        name: text(bytes, 5),
        links: parts(bytes, 13).into_iter().map(|link| digits(link, 2)).collect(),
        attributes: attributes.iter().filter_map(named).collect(),
    }
}

/// Waits until so many messages have left, and ends the server: what is still there is told then.
fn sent(server: Server, messages: u32) {
    let series = "kulanz_messages_total{channel=\"email\",end=\"sent\"}";
    let wanted = format!("{series} {messages}");
    eventually("the messages leave", || {
        server.get("/metrics").body.lines().any(|line| line == wanted).then_some(())
    });
    server.stop();
}

fn traced(mut event: serde_json::Value, trace: &str, flags: &str) -> serde_json::Value {
    event["traceparent"] = json!(format!("00-{trace}-{SHOP}-{flags}"));
    event
}

#[test]
fn an_event_is_traced_from_the_shop_to_the_message_that_it_led_to() {
    const ACCOUNT: &str = "atelier/K-1";
    let (collector, house) = (Collector::start(), Installation::new());
    // None that is begun here is kept: whether these are was the shop's decision.
    house.settings(&json!({ "telemetry": { "otlp": collector.address, "traces": 0.0 } }));
    // These have wake-ups at once.
    let untraced = overdue("atelier/K-2", "regular", "leo@example.org", "+4915112345679");
    house.import(&house.events("untraced.ndjson", &untraced)).well();
    let server = house.serve();
    let invoice = events::invoice(ACCOUNT, "R-1", "49.90", &events::day(-10));
    let second = events::invoice(ACCOUNT, "R-2", "5.00", &events::day(30));
    let other = "0af7651916cd43dd8448eb211c80319c";
    let dropped = "11111111111111111111111111111111";
    let not_kept = events::invoice("atelier/K-3", "R-3", "9.90", &events::day(-10));
    server.accept(&[
        events::debtor(ACCOUNT, "regular", "mia.secret@example.org", "+4915112345678"),
        traced(invoice, TRACE, "01"),
        traced(second, other, "01"),
        events::debtor("atelier/K-3", "regular", "ann@example.org", "+4915112345677"),
        traced(not_kept, dropped, "00"),
    ]);
    sent(server, 3);

    let [intake] = &*collector.named(TRACE, "intake.take_event") else { panic!("one intake") };
    assert_eq!((&*intake.parent, intake.attribute("status")), (SHOP, "accepted"));
    assert_eq!(intake.attribute("account"), ACCOUNT);

    let decisions = collector.named(TRACE, "engine.decide");
    let made = decisions.iter().find(|one| one.parent == intake.id).expect("a decision");
    assert_eq!(made.attribute("kinds").split(',').next_back(), Some("NoticeDecided"));
    // Both events of the batch are behind it.
    let [second] = &*collector.named(other, "intake.take_event") else { panic!("one intake") };
    assert_eq!(made.links, std::slice::from_ref(&second.id));

    let sends = collector.named(TRACE, "delivery.send");
    let [send] = &*sends else { panic!("one send: {sends:?}") };
    assert_eq!((&*send.parent, send.attribute("end")), (&*made.id, "sent"));
    assert_eq!((send.attribute("channel"), send.attribute("attempt")), ("email", "1"));

    // Each trace says itself when its event was durable.
    for (trace, event) in [(TRACE, intake), (other, second)] {
        let appends = collector.named(trace, "engine.append");
        let own: Vec<&Span> = appends.iter().filter(|one| one.parent == event.id).collect();
        let [append] = &*own else { panic!("one append: {own:?}") };
        assert_eq!(append.attribute("outcome"), "committed");
        assert_ne!(append.attribute("position"), "0");
    }
    // That it was kept before it left, and that it left: both of the send.
    let appends = collector.named(TRACE, "engine.append");
    assert_eq!(appends.iter().filter(|append| append.parent == send.id).count(), 2, "{appends:?}");
    // What follows from that is decided in the same trace.
    assert_eq!(decisions.iter().filter(|one| one.parent == send.id).count(), 1, "{decisions:?}");

    assert_eq!(collector.traces(), [other, TRACE]);
    collector.has_none_of(&["mia.secret", "15112345678", "Kim K-1", "49.90"]);
}

#[test]
fn an_event_that_names_no_trace_is_in_that_of_its_request() {
    let (collector, house) = (Collector::start(), Installation::new());
    house.settings(&json!({ "telemetry": { "otlp": collector.address, "traces": 0.0 } }));
    let server = house.serve();
    let own = "0af7651916cd43dd8448eb211c80319c";
    let due = events::day(30);
    let events = [
        events::invoice("atelier/K-1", "R-1", "49.90", &due),
        traced(events::invoice("atelier/K-2", "R-2", "5.00", &due), own, "01"),
    ];
    let request = format!("00-{TRACE}-{SHOP}-01");
    let headers = [super::http::NDJSON, ("traceparent", &*request)];
    let answer = server.post("/v1/events", &headers, lines(&events).as_bytes());
    assert_eq!(answer.status, 202, "{answer:?}");
    server.stop();
    for (trace, account) in [(TRACE, "atelier/K-1"), (own, "atelier/K-2")] {
        let [intake] = &*collector.named(trace, "intake.take_event") else { panic!("{trace}") };
        assert_eq!((intake.attribute("account"), &*intake.parent), (account, SHOP));
    }
}

#[test]
fn a_message_that_a_wake_up_led_to_is_one_trace_from_the_decision_on() {
    let (collector, house) = (Collector::start(), Installation::new());
    house.settings(&json!({ "telemetry": { "otlp": collector.address } }));
    let told = overdue("atelier/K-1", "regular", "mia.secret@example.org", "+4915112345678");
    house.import(&house.events("told.ndjson", &told)).well();
    sent(house.serve(), 1);
    let sends = {
        let mut spans = collector.spans.lock().unwrap().clone();
        spans.retain(|span| span.name == "delivery.send");
        spans
    };
    let [send] = &*sends else { panic!("one send: {sends:?}") };
    let decisions = collector.named(&send.trace, "engine.decide");
    let root = decisions.iter().find(|one| one.id == send.parent).expect("a decision");
    assert_eq!((&*root.parent, root.attribute("cause")), ("", "wake_up"));
    assert!(root.attribute("kinds").contains("NoticeDecided"), "{root:?}");
    let appends = collector.named(&send.trace, "engine.append");
    assert!(appends.iter().any(|append| append.parent == root.id), "{appends:?}");
    assert!(collector.named(&send.trace, "intake.take_event").is_empty());
}

#[test]
fn where_nobody_collects_no_span_is_made_and_no_message_names_one() {
    let house = Installation::new();
    house.settings(&json!({ "telemetry": { "logs": "json" } }));
    let server = house.serve_with(&[("KULANZ_LOG", "trace")]);
    let [debtor, invoice] =
        &*overdue("atelier/K-1", "regular", "mia.secret@example.org", "+4915112345678")
    else {
        panic!("two events")
    };
    server.accept(&[debtor.clone(), traced(invoice.clone(), TRACE, "01")]);
    sent(server, 1);
    let log = house.log();
    // Lines within a span would name it.
    let told = log.lines().find(|line| line.contains("kulanz_delivery") && line.contains("sent"));
    assert!(told.is_some(), "{log}");
    let spans = ["intake.take_event", "engine.decide", "engine.append", "delivery.send"];
    for name in spans {
        assert!(!log.contains(name), "{name}: {log}");
    }
    let named = "SELECT count(*) FROM outbox WHERE traceparent IS NOT NULL";
    assert_eq!((house.count("SELECT count(*) FROM outbox"), house.count(named)), (1, 0));
}
