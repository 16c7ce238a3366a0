//! As much of an HTTP client as the tests need, so that nothing of it is ours.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

pub const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");
pub const EVENT: (&str, &str) = ("Content-Type", "application/cloudevents+json");
pub const BATCH: (&str, &str) = ("Content-Type", "application/cloudevents-batch+json");
pub const JSON: (&str, &str) = ("Content-Type", "application/json");

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found.to_ascii_lowercase() == name).then_some(value.trim())
        })
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// An RFC 9457 problem with this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        self.json()
    }
}

pub fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    // A server that has heard enough answers and closes while the body is still being written.
    let mut reader = stream.try_clone()?;
    let heard = std::thread::spawn(move || {
        let mut raw = Vec::new();
        let ended = reader.read_to_end(&mut raw);
        (raw, ended)
    });
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let (raw, ended) = heard.join().expect("no panic");
    if raw.is_empty() {
        ended?;
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(parsed(&raw))
}

fn parsed(raw: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(raw);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let mut answer = Answer { status, head: head.to_owned(), body: String::new() };
    let chunked = answer.header("transfer-encoding") == Some("chunked");
    answer.body = if chunked { unchunked(body) } else { body.to_owned() };
    answer
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a length");
        if length == 0 {
            break;
        }
        whole.push_str(&rest[..length]);
        body = &rest[length + 2..];
    }
    whole
}
