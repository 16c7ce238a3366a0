//! An installation in a folder of its own, and the program run on it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

#[cfg(target_os = "linux")]
use super::disk::SmallDisk;
use super::http::{self, Answer};

/// The program, brought up to date once a run: `cargo test -p kulanz-tests` alone would not.
pub static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let own = std::env::current_exe().expect("a test knows its own file");
    // <target>/<profile>/deps/<test>
    let profile = own.ancestors().nth(2).expect("tests lie in the target folder").to_owned();
    let program = profile.join("kulanz");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "-p", "kulanz", "--target-dir"]);
        build.arg(profile.parent().expect("a profile lies in the target folder"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let done = build.current_dir(repository()).status().expect("cargo starts");
        assert!(done.success(), "the program does not build");
    }
    assert!(program.is_file(), "no program at {}", program.display());
    program
});

/// The folder of the whole project.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in it").to_owned()
}

/// What a run of the program said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
    /// The standard output as it is.
    pub bytes: Vec<u8>,
}

impl Said {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
        }
    }

    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// It ended with exit code 1 and said all of `words` on the standard error.
    #[track_caller]
    pub fn refused(self, words: &[&str]) -> Self {
        assert_eq!(self.code, 1, "out: {}\nerr: {}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "lacks {word:?}: {}", self.err);
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.out))
    }
}

/// Configuration and data of one installation, gone when dropped.
pub struct Installation {
    folder: TempDir,
    data: PathBuf,
    /// For every run of the program.
    environment: Vec<(&'static str, String)>,
}

impl Installation {
    /// With the policies of the tests, and no gateways.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/policies");
        copy(&from, &folder.path().join("config/policies"));
        let data = folder.path().join("data");
        Self { folder, data, environment: Vec::new() }
    }

    /// As [`new`](Self::new), its data in a folder that is already there.
    pub fn with_data(data: &Path) -> Self {
        let mut house = Self::new();
        house.data = data.to_owned();
        house
    }

    /// As [`new`](Self::new), its data on a disk that may be full.
    #[cfg(target_os = "linux")]
    pub fn on(disk: &SmallDisk) -> Self {
        let mut house = Self::with_data(&disk.path().join("data"));
        house.environment = disk.environment();
        house
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("config")
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Writes `kulanz.yaml`.
    pub fn settings(&self, settings: &Value) {
        fs::write(self.config().join("kulanz.yaml"), settings.to_string()).unwrap();
    }

    /// A file with these bytes.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A file with an event a line.
    pub fn events(&self, name: &str, events: &[Value]) -> PathBuf {
        self.file(name, lines(events))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&*PROGRAM);
        command.args(arguments).arg("--data").arg(&self.data).arg("--config").arg(self.config());
        // Settings of whoever runs the tests are none of the installation's.
        let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("KULANZ_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Said {
        finish(self.command(arguments), Vec::new())
    }

    /// Runs the program with this on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        finish(command, input.to_vec())
    }

    pub fn import(&self, file: &Path) -> Said {
        self.run(&["import", "--json", &file.display().to_string()])
    }

    /// `kulanz … --json`, parsed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).well().json()
    }

    /// Kinds of the events of an account, in order.
    pub fn kinds(&self, account: &str) -> Vec<String> {
        let timeline = self.json(&["account", "timeline", account]);
        let rows = timeline.as_array().expect("a list");
        rows.iter().map(|row| row["kind"].as_str().expect("a text").to_owned()).collect()
    }

    /// The database, to be read beside whatever works on it.
    pub fn database(&self) -> rusqlite::Connection {
        use rusqlite::OpenFlags;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let opened = rusqlite::Connection::open_with_flags(self.data.join("kulanz.db"), flags);
        let opened = opened.expect("there is a database");
        opened.busy_timeout(Duration::from_secs(5)).unwrap();
        opened
    }

    /// One number from the database.
    pub fn count(&self, sql: &str) -> i64 {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Makes a token.
    pub fn token(&self, person: &str, role: &str, creditor: Option<&str>) -> String {
        let mut arguments = vec!["token", "create", "--person", person, "--role", role];
        arguments.extend(creditor.iter().flat_map(|creditor| ["--creditor", creditor]));
        let made = self.json(&arguments);
        made["token"].as_str().expect("a text").to_owned()
    }

    /// Starts the server and waits until it answers. What it logs is added to `log`.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, environment: &[(&str, &str)]) -> Server {
        let address = self.data.join("server.json");
        let _ = fs::remove_file(&address);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(environment.iter().copied()).stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().expect("the program starts");
        let url = within(60, "the server says where it listens", || {
            if let Some(ended) = child.try_wait().unwrap() {
                panic!("the server ended ({ended}): {}", self.log());
            }
            let text = fs::read_to_string(&address).ok()?;
            let told: Value = serde_json::from_str(&text).ok()?;
            Some(told["url"].as_str()?.to_owned())
        });
        let address = url.strip_prefix("http://").expect("an address").to_owned();
        eventually("the server answers", || {
            http::request(&address, "GET", "/healthz", &[], b"").ok().filter(|a| a.status == 200)
        });
        Server { child, address }
    }

    /// What servers logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Installation {
    /// Where a test fails, what the servers said last is all that is left of them.
    fn drop(&mut self) {
        let log = self.log();
        if std::thread::panicking() && !log.is_empty() {
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            println!("the log of {} ends with\n{last}", self.folder.path().display());
        }
    }
}

/// A running `kulanz serve`, killed when dropped.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        http::request(&self.address, "POST", path, headers, body).expect("an answer")
    }

    pub fn get(&self, path: &str) -> Answer {
        http::request(&self.address, "GET", path, &[], b"").expect("an answer")
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        http::request(&self.address, "GET", path, headers, b"").expect("an answer")
    }

    /// Posts one event; it has to be taken.
    #[track_caller]
    pub fn accept(&self, events: &[Value]) {
        let answer = self.post("/v1/events", &[http::NDJSON], lines(events).as_bytes());
        assert_eq!(answer.status, 202, "{answer:?}");
        for receipt in answer.json()["receipts"].as_array().unwrap() {
            assert_eq!(receipt["status"], "accepted", "{receipt}");
        }
    }

    /// Whether the process is there.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How it ended by itself; nobody asks it to.
    pub fn ended(mut self) -> ExitStatus {
        within(60, "the server ends by itself", || self.child.try_wait().unwrap())
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; it has to end by itself, well.
    pub fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        // Requests, records and messages under way have more time each, one after the other.
        let ended = within(60, "the server ends", || self.child.try_wait().unwrap());
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// So long a program may take that ends by itself: a large history, unoptimised, on a busy machine.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs a program to its end; one that goes on and on fails the test.
fn finish(mut command: Command, input: Vec<u8>) -> Said {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let id = child.id();
    if let Some(mut to) = child.stdin.take() {
        std::thread::spawn(move || drop(to.write_all(&input)));
    }
    let (ended, watch) = std::sync::mpsc::channel::<()>();
    let watcher = std::thread::spawn(move || {
        let late = watch
            .recv_timeout(LONGEST)
            .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        }
        late
    });
    let said = Said::of(child.wait_with_output().expect("it ends"));
    drop(ended);
    assert!(!watcher.join().expect("no panic"), "it did not end within {LONGEST:?}: {said:?}");
    said
}

/// NDJSON.
pub fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// Looks again and again until there is something, since other processes take their time.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(30, what, look)
}

/// As [`eventually`], for what takes so many seconds at most.
#[track_caller]
pub fn within<T>(seconds: u64, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut pause = Duration::from_millis(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        std::thread::sleep(pause);
        pause = (pause * 11 / 10).min(Duration::from_millis(500));
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), &target).unwrap()),
        }
    }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

/// Random numbers that a seed gives again (SplitMix64).
pub struct Dice(u64);

impl Dice {
    /// With the seed in KULANZ_SEED, or a new one; it is printed, and shown where a test fails.
    pub fn new(what: &str) -> Self {
        let given = std::env::var("KULANZ_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos();
        let seed = given.unwrap_or(now as u64);
        println!("{what}: KULANZ_SEED={seed}");
        Self(seed)
    }

    /// Dice of their own for another thread.
    pub fn other(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
