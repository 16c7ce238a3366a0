//! A thread of the server that dies: the one that polls Kafka, by a shim below Rust's own library.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use serde_json::json;

use super::{
    super::{
        delivery::{overdue, states},
        events::invoice,
        processes::shim,
        world::{Installation, eventually},
    },
    Topics,
};

/// What a server says of itself on a connection that is kept; nothing once it is closed.
fn ready(connection: &mut TcpStream) -> Option<String> {
    connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: kulanz\r\n\r\n").ok()?;
    let mut answer = vec![0; 4096];
    let length = connection.read(&mut answer).ok().filter(|length| *length > 0)?;
    Some(String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[test]
fn a_server_whose_polling_thread_dies_says_so_and_ends_and_the_next_one_loses_nothing() {
    let (house, library) = (Installation::new(), shim("dying_thread"));
    let topics = Topics::new(&house);
    // A gateway that takes its time keeps the server at its end for a while.
    let slow = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/messages", slow.local_addr().unwrap());
    house.settings(&json!({
        "kafka": topics.settings(),
        "sms": { "url": url, "from": "Atelier", "id_pointer": "/id", "timeout_ms": 5000 },
    }));
    let dies = house.path("dies");
    let preload =
        [("LD_PRELOAD", library.to_str().unwrap()), ("DYING_THREAD", dies.to_str().unwrap())];
    let server = house.serve_with(&preload);
    let first = [
        invoice("atelier/K-1", "R-1", "10.00", "2026-03-15"),
        invoice("atelier/K-2", "R-2", "20.00", "2026-03-15"),
    ];
    topics.send_all(&first);
    topics.drained(&house);
    topics.send_all(&overdue("atelier/K-3", "sms", "kim@example.org", "+447700900001"));
    eventually("a message is under way", || {
        (states(&house, "atelier/K-3") == ["sending"]).then_some(())
    });
    let mut kept = TcpStream::connect(&server.address).unwrap();
    kept.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let before = ready(&mut kept).expect("an answer");
    assert!(before.starts_with("HTTP/1.1 200"), "{before}");

    fs::write(&dies, "").unwrap();
    let after = eventually("it says that it ends", || {
        let said = ready(&mut kept).expect("the connection is kept until the end");
        (!said.starts_with("HTTP/1.1 200")).then_some(said)
    });
    assert!(after.starts_with("HTTP/1.1 503") && after.contains("the server ends"), "{after}");
    assert!(TcpStream::connect(&server.address).is_err(), "nobody new is let in");
    assert_eq!(server.ended().code(), Some(1), "{}", house.log());
    let log = house.log();
    let why = "a part of the server that works on Kafka has ended, so the server ends too";
    assert!(log.contains(why) && log.contains("the thread that polls has died"), "{log}");
    assert!(log.lines().any(|line| line.starts_with("error: ")), "{log}");

    // What came meanwhile is taken by the next one, as is what it may have left.
    topics.send_all(&[invoice("atelier/K-1", "R-4", "40.00", "2026-03-15")]);
    let server = house.serve();
    topics.drained(&house);
    let book = house.json(&["book"]);
    assert_eq!(book["currencies"]["EUR"]["principal"], "159.90");
    assert_eq!(house.json(&["dead-letters", "list"]), json!([]));
    server.stop();
}
