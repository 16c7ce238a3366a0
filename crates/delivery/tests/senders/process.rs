//! Server processes of the tests: started on a free port, ended by their id when dropped.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::Value;

/// A process that prints its port when it is ready.
pub struct Server {
    child: Child,
    /// On 127.0.0.1.
    pub port: u16,
}

impl Server {
    fn start(python: &Path, script: &str, arguments: &[String]) -> Self {
        let mut child = Command::new(python)
            .arg(tools().join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
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

    /// A mail server that keeps what it takes in `folder`.
    pub fn smtp(folder: &Folder, options: &[&str]) -> Self {
        let arguments: Vec<String> = [folder.0.display().to_string()]
            .into_iter()
            .chain(options.iter().map(ToString::to_string))
            .collect();
        Self::start(&PYTHON, "smtp_server.py", &arguments)
    }

    /// An SMS gateway.
    pub fn gateway() -> Self {
        Self::start(&PYTHON, "gateway.py", &[])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools")
}

/// The interpreter with the packages of `requirements.txt`. That it cannot be made fails every
/// test that needs it.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let made = Command::new("sh")
        .arg(tools().join("setup.sh"))
        .arg(&target)
        .output()
        .expect("sh is needed to make the tests' mail server");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "the tests' mail server cannot be made: {said}");
    PathBuf::from(String::from_utf8_lossy(&made.stdout).trim())
});

/// A folder of its own, removed when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kulanz-delivery-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }

    /// The messages that the mail server kept, oldest first.
    pub fn messages(&self) -> Vec<Value> {
        (1..)
            .map_while(|n| std::fs::read(self.0.join(format!("message-{n}.json"))).ok())
            .map(|json| serde_json::from_slice(&json).expect("whole, for it was renamed"))
            .collect()
    }

    /// How many connections the mail server had, and how many of them are open.
    pub fn connections(&self) -> (u32, u32) {
        let said = std::fs::read_to_string(self.0.join("connections")).unwrap_or_default();
        let numbers: Vec<u32> = said.split(' ').filter_map(|number| number.parse().ok()).collect();
        match numbers[..] {
            [opened, open] => (opened, open),
            _ => (0, 0),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
