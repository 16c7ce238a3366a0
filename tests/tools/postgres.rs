//! A PostgreSQL for tests, started by `postgres.sh` beside this file. Test binaries that need one
//! include this module by its path.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

/// One for all tests of a binary. It ends when its standard input does, and so with the process,
/// however that ends.
static SHARED: LazyLock<Server> = LazyLock::new(Server::start);

/// The URL of an empty database whose owner may do nothing else.
pub fn database() -> String {
    SHARED.database()
}

/// Where servers keep their files by default.
fn files() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own file");
    // <target>/<profile>/deps/<test>
    own.ancestors().nth(3).expect("tests lie in the target folder").join("tmp")
}

/// A server, or databases of the one that `KULANZ_TEST_POSTGRES` names.
pub struct Server {
    child: Child,
    talk: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Server {
    /// Whatever is missing, a test without a server fails.
    fn start() -> Self {
        Self::start_with(&files(), |_| {})
    }

    /// A server that can be stopped, whatever `KULANZ_TEST_POSTGRES` says.
    #[allow(dead_code, reason = "not every binary stops its server")]
    pub fn own() -> Self {
        Self::own_on(&files(), &[])
    }

    /// The same, its files below this folder, and this in the environment of its processes.
    #[allow(dead_code, reason = "not every binary chooses the disk")]
    pub fn own_on(folder: &Path, environment: &[(&str, String)]) -> Self {
        Self::start_with(folder, |command| {
            command.env_remove("KULANZ_TEST_POSTGRES");
            command.envs(environment.iter().map(|(name, value)| (name, value)));
        })
    }

    fn start_with(folder: &Path, prepare: impl FnOnce(&mut Command)) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("tests/tools/postgres.sh"))
            .find(|script| script.is_file())
            .expect("the script lies in the repository");
        let mut command = Command::new("bash");
        command.arg(script).arg("serve").arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().expect("bash starts");
        let talk = child.stdin.take().zip(child.stdout.take()).expect("they are piped");
        let server = Self { child, talk: Mutex::new(Some((talk.0, BufReader::new(talk.1)))) };
        assert_eq!(server.answer(None), "ready", "no PostgreSQL for tests: see above");
        server
    }

    pub fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.ask(&format!("database kulanz_{}_{number}", std::process::id()))
    }

    /// Says a line to the script; what it answers.
    pub fn ask(&self, line: &str) -> String {
        let answer = self.answer(Some(line));
        assert!(!answer.is_empty() && !answer.starts_with("refused"), "{line}: {answer}");
        answer
    }

    fn answer(&self, line: Option<&str>) -> String {
        let mut talk = self.talk.lock().expect("no test panics while it asks");
        let (say, hear) = talk.as_mut().expect("there until it is dropped");
        if let Some(line) = line {
            writeln!(say, "{line}").expect("the script listens");
        }
        let mut answer = String::new();
        hear.read_line(&mut answer).expect("the script answers");
        answer.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(mut talk) = self.talk.lock() {
            *talk = None;
        }
        // Its files are gone once it has ended.
        let _ = self.child.wait();
    }
}
