//! The mail server and the SMS gateway of the delivery crate's tests, as processes.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{http, world::repository};

/// A process that prints its port when it is ready, killed when dropped.
struct Process {
    child: Child,
    port: u16,
}

impl Process {
    fn start(python: &Path, script: &str, arguments: &[&Path]) -> Self {
        let tools = repository().join("crates/delivery/tests/tools");
        let mut child = Command::new(python)
            .arg(tools.join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Clients that are killed are what the tests are about: their traces would drown all.
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{script} does not start: {error}"));
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("readable");
        let Ok(port) = line.trim().parse() else {
            let ended = child.wait();
            panic!("{script} did not get ready ({ended:?}), it said {line:?}");
        };
        Self { child, port }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter with the packages that the mail server needs.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let own = std::env::current_exe().expect("a test knows its own file");
    let target = own.ancestors().nth(3).expect("tests lie in the target folder");
    let made = Command::new("sh")
        .arg(repository().join("crates/delivery/tests/tools/setup.sh"))
        .arg(target)
        .output()
        .expect("sh is needed to make the tests' mail server");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "the tests' mail server cannot be made: {said}");
    PathBuf::from(String::from_utf8_lossy(&made.stdout).trim())
});

/// A library to be loaded before the C library, of tests/tools, built where it is first needed.
#[cfg(target_os = "linux")]
pub fn shim(name: &str) -> PathBuf {
    // Tests run beside each other: each builds its own and puts it in place as a whole.
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let own = std::env::current_exe().expect("a test knows its own file");
    let library = own.with_file_name(format!("{name}.so"));
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let built = library.with_extension(format!("{}-{number}", std::process::id()));
    let said = Command::new("cc")
        .args(["-Wall", "-Werror", "-shared", "-fPIC", "-O1", "-o"])
        .arg(&built)
        .arg(repository().join(format!("tests/tools/{name}.c")))
        .arg("-ldl")
        .output()
        .expect("cc is there, for Rust links by it");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    std::fs::rename(&built, &library).expect("it is built");
    library
}

/// A mail server; what it does depends on the recipient, see `smtp_server.py`.
pub struct MailServer {
    process: Process,
    folder: TempDir,
}

impl MailServer {
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        Self { process: Process::start(&PYTHON, "smtp_server.py", &[folder.path()]), folder }
    }

    /// Its part of `kulanz.yaml`.
    pub fn settings(&self) -> Value {
        json!({ "host": "127.0.0.1", "port": self.process.port, "tls": "none",
                "from": "post@kulanz.example", "timeout_ms": 1500 })
    }

    /// Messages that it took, oldest first.
    pub fn messages(&self) -> Vec<Value> {
        (1..)
            .map_while(|number| {
                std::fs::read(self.folder.path().join(format!("message-{number}.json"))).ok()
            })
            .map(|json| serde_json::from_slice(&json).expect("whole, for it was renamed"))
            .collect()
    }

    /// Those to one address.
    pub fn messages_to(&self, address: &str) -> Vec<Value> {
        let mut messages = self.messages();
        messages.retain(|message| message["to"][0] == address);
        messages
    }
}

/// A header of a message.
pub fn header(message: &Value, name: &str) -> String {
    let headers = message["headers"].as_array().expect("a list");
    let found =
        headers.iter().find(|pair| pair[0].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    found.and_then(|pair| pair[1].as_str()).unwrap_or_default().to_owned()
}

/// An SMS gateway; what it does depends on words in the text, see `gateway.py`.
pub struct SmsServer(Process);

impl SmsServer {
    pub fn start() -> Self {
        Self(Process::start(Path::new("python3"), "gateway.py", &[]))
    }

    /// One that fails half of all messages at their first request, mostly after it took them.
    pub fn moody() -> Self {
        Self(Process::start(Path::new("python3"), "gateway.py", &[Path::new("moody")]))
    }

    /// Its part of `kulanz.yaml`.
    pub fn settings(&self) -> Value {
        json!({ "url": format!("http://127.0.0.1:{}/messages", self.0.port), "from": "Atelier",
                "id_pointer": "/message/id", "timeout_ms": 1500 })
    }

    /// What it took, once for each key, with the number of requests that came with it.
    pub fn taken(&self) -> Vec<Value> {
        let address = format!("127.0.0.1:{}", self.0.port);
        let answer = http::request(&address, "GET", "/taken", &[], b"").expect("an answer");
        answer.json().as_array().expect("a list").clone()
    }
}
