//! One trace over two servers: a record brings it, one server decides, another one sends.

use std::{net::TcpListener, path::Path};

use serde_json::{Value, json};

use super::{
    super::{
        delivery::states,
        events,
        faults::sql::rows,
        postgres::{self, keep_in},
        processes::SmsServer,
        traces::{Collector, SHOP, Span, TRACE},
        world::{Installation, Server, eventually},
    },
    Topics, server,
};

const ACCOUNT: &str = "atelier/K-1";

/// Puts an installation onto the common database and topics; it tells a collector of its own.
fn settle(house: &Installation, url: &str, key: &Path, topics: &Topics, more: [&Value; 2]) {
    keep_in(house, url);
    let text = std::fs::read_to_string(house.config().join("kulanz.yaml")).unwrap();
    let mut settings: Value = serde_json::from_str(&text).unwrap();
    settings["master_key_file"] = json!(key);
    settings["kafka"] = topics.settings();
    [settings["telemetry"], settings["sms"]] = more.map(Value::clone);
    house.settings(&settings);
}

fn ended(server: &Server, end: &str) {
    let series = format!("kulanz_messages_total{{channel=\"sms\",end=\"{end}\"}}");
    eventually(&series, || server.get("/metrics").body.contains(&series).then_some(()));
}

/// The only span of that name in the trace.
#[track_caller]
fn only(told: &Collector, name: &str) -> Span {
    let spans = told.named(TRACE, name);
    let [span] = &*spans else { panic!("one {name}: {spans:?}") };
    span.clone()
}

#[test]
fn what_one_server_decides_and_another_one_sends_is_one_trace() {
    let url = postgres::server::database();
    let topics = Topics::named(&server::shared().address());
    let (decides, sends) = (Installation::new(), Installation::new());
    let (first, second) = (Collector::start(), Collector::start());
    // None that is begun here is kept.
    let otlp = |to: &Collector| json!({ "otlp": to.address, "traces": 0.0 });
    let sms = SmsServer::start();
    // Nobody listens there any more.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut away = sms.settings();
    away["url"] = json!(format!("http://{nobody}/messages"));
    let key = decides.data().join("master.key");
    settle(&decides, &url, &key, &topics, [&otlp(&first), &away]);
    settle(&sends, &url, &key, &topics, [&otlp(&second), &sms.settings()]);
    topics.make(&decides, server::shared());

    let server = decides.serve();
    topics.send_all(&[events::debtor(ACCOUNT, "sms", "mia.secret@example.org", "+447700900001")]);
    topics.drained(&decides);
    // As a shop's instrumented producer does it: the record has the trace, the event knows of none.
    let invoice = events::invoice(ACCOUNT, "R-1", "49.90", &events::day(-10));
    let traceparent = format!("00-{TRACE}-{SHOP}-01");
    let bytes = invoice.to_string();
    let headers = [("traceparent", &*traceparent)];
    topics.put("kulanz.invoices", Some(ACCOUNT), Some(bytes.as_bytes()), &headers);
    topics.flush();
    ended(&server, "again");
    server.stop();
    assert_eq!(states(&decides, ACCOUNT), ["queued"]);

    let server = sends.serve();
    // As if the wait were over.
    rows(&url, "UPDATE kulanz.outbox SET next_at = now() - interval '1 minute'");
    ended(&server, "sent");
    server.stop();
    assert_eq!(states(&sends, ACCOUNT), ["sent"]);
    assert_eq!(sms.taken().len(), 1);

    let intake = only(&first, "intake.take_event");
    assert_eq!((&*intake.parent, intake.attribute("account")), (SHOP, ACCOUNT));
    let decided = first.named(TRACE, "engine.decide");
    let made = decided.iter().find(|one| one.parent == intake.id).expect("a decision");
    assert!(made.attribute("kinds").contains("NoticeDecided"), "{made:?}");
    let tried = first.named(TRACE, "delivery.send");
    assert!(!tried.is_empty());
    for send in &tried {
        assert_eq!((&send.parent, send.attribute("end")), (&made.id, "again"));
    }

    // The other server goes on where the first one decided, and takes in nothing again.
    let send = only(&second, "delivery.send");
    assert_eq!((&send.parent, send.attribute("end")), (&made.id, "sent"));
    let attempt = (tried.len() + 1).to_string();
    assert_eq!((send.attribute("account"), send.attribute("attempt")), (ACCOUNT, &*attempt));
    assert_eq!(only(&second, "engine.decide").parent, send.id);
    let appends = second.named(TRACE, "engine.append");
    assert!(!appends.is_empty() && appends.iter().all(|one| one.parent == send.id), "{appends:?}");
    assert!(second.named(TRACE, "intake.take_event").is_empty());
    for told in [&first, &second] {
        assert_eq!(told.traces(), [TRACE]);
        told.has_none_of(&["mia.secret", "447700900001", "Kim K-1", "49.90"]);
    }
}
