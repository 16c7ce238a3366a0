//! A webhook receiver of our own: what a shop would run, and all that can go wrong with it. It
//! checks signatures by itself, with nothing of Kulanz.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// How it answers the next request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This status with these header lines.
    Says(u16, &'static str),
    /// The connection is closed without a word.
    Hangs,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub at: Instant,
    pub head: String,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        let found = self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        found.unwrap_or_else(|| panic!("no {name}: {}", self.head))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Whether one of its signatures is by this secret.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let signed = format!("{id}.{at}.{}", self.body);
        let right = format!("v1,{}", STANDARD.encode(hmac(&key, signed.as_bytes())));
        self.header("webhook-signature").split(' ').any(|one| one == right)
    }
}

/// RFC 2104, for keys of up to 64 bytes.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let padded = |with: u8| -> Vec<u8> {
        (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect()
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

/// A receiver; it stops with the test's process.
pub struct Receiver {
    pub url: String,
    replies: Arc<Mutex<(VecDeque<Reply>, Reply)>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// Takes everything unless told otherwise.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let replies = Arc::new(Mutex::new((VecDeque::new(), Reply::Says(204, ""))));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (told, heard) = (Arc::clone(&replies), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (told, heard) = (Arc::clone(&told), Arc::clone(&heard));
                std::thread::spawn(move || serve(&stream, &told, &heard));
            }
        });
        Self { url, replies, requests }
    }

    /// How it answers from now on: first these, one after the other, then always `last`.
    pub fn answers(&self, first: &[Reply], last: Reply) {
        *self.replies.lock().unwrap() = (first.iter().cloned().collect(), last);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn forget(&self) {
        self.requests.lock().unwrap().clear();
    }
}

fn serve(
    stream: &TcpStream,
    replies: &Mutex<(VecDeque<Reply>, Reply)>,
    requests: &Mutex<Vec<Request>>,
) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let mut request = Request { at: Instant::now(), head, body: String::new() };
        let mut body = vec![0; request.header("content-length").parse().expect("a length")];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        request.body = String::from_utf8(body).expect("UTF-8");
        let reply = {
            let mut replies = replies.lock().unwrap();
            replies.0.pop_front().unwrap_or_else(|| replies.1.clone())
        };
        requests.lock().unwrap().push(request);
        match reply {
            Reply::Hangs => return,
            Reply::Says(status, headers) => {
                let answer =
                    format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: 0\r\n\r\n");
                if (&*stream).write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        }
    }
}
