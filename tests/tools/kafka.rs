//! A Kafka for tests: a real broker, started by `kafka.sh` beside this file, or librdkafka's own
//! mock where none can be had. What the mock cannot do is noted in `kafka-wanted` in the target
//! folder, of which `test.sh` tells loudly.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{LazyLock, Mutex, mpsc},
};

use rdkafka::mocking::MockCluster;

/// One for all tests of a binary. It ends when its standard input does, and so with the process,
/// however that ends.
static SHARED: LazyLock<Broker> = LazyLock::new(|| match Server::start(|_| {}) {
    Some(server) => Broker::Real(server),
    None => Broker::Mock(Mock::start()),
});

/// What the tests talk to.
pub enum Broker {
    Real(Server),
    Mock(Mock),
}

/// The broker of this binary.
pub fn shared() -> &'static Broker {
    &SHARED
}

impl Broker {
    pub fn address(&self) -> String {
        match self {
            Self::Real(server) => server.ask("address"),
            Self::Mock(mock) => mock.address.clone(),
        }
    }
}

/// The broker where it is a real one of ours; else the test is noted as one that wants it.
pub fn real(test: &str) -> Option<&'static Server> {
    match shared() {
        Broker::Real(server) if std::env::var_os("KULANZ_TEST_KAFKA").is_none() => Some(server),
        _ => {
            wanted(test);
            None
        }
    }
}

/// Whether the broker is a real one, whoever runs it; else the test is noted.
pub fn is_real(test: &str) -> bool {
    let real = matches!(shared(), Broker::Real(_));
    if !real {
        wanted(test);
    }
    real
}

/// A broker of its own, to be stopped and started; else the test is noted as one that wants it.
pub fn own(test: &str) -> Option<Server> {
    let server = Server::start(|command| {
        command.env_remove("KULANZ_TEST_KAFKA");
    });
    if server.is_none() {
        wanted(test);
    }
    server
}

fn target() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own file");
    // <target>/<profile>/deps/<test>
    own.ancestors().nth(3).expect("tests lie in the target folder").to_owned()
}

fn wanted(test: &str) {
    eprintln!("{test} NEEDS A REAL KAFKA BROKER AND DID NOT RUN");
    let file = target().join("kafka-wanted");
    let file = fs::OpenOptions::new().create(true).append(true).open(file);
    writeln!(file.expect("the target folder can be written"), "{test}").expect("it takes a line");
}

/// A real broker.
pub struct Server {
    child: Child,
    talk: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Server {
    fn start(prepare: impl FnOnce(&mut Command)) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("tests/tools/kafka.sh"))
            .find(|script| script.is_file())
            .expect("the script lies in the repository");
        let mut command = Command::new("bash");
        command.arg(script).arg("serve").arg(target().join("tmp"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().expect("bash starts");
        let talk = child.stdin.take().zip(child.stdout.take()).expect("they are piped");
        let server = Self { child, talk: Mutex::new(Some((talk.0, BufReader::new(talk.1)))) };
        (server.answer(None) == "ready").then_some(server)
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

/// librdkafka's mock, on a thread of its own.
pub struct Mock {
    address: String,
    make: Mutex<mpsc::Sender<(String, i32, mpsc::Sender<()>)>>,
}

impl Mock {
    fn start() -> Self {
        let (say, hear) = mpsc::channel();
        let (make, asked) = mpsc::channel::<(String, i32, mpsc::Sender<()>)>();
        std::thread::spawn(move || {
            let cluster = MockCluster::new(1).expect("librdkafka has its mock");
            say.send(cluster.bootstrap_servers()).expect("somebody waits");
            for (topic, partitions, done) in asked {
                cluster.create_topic(&topic, partitions, 1).expect("the mock makes topics");
                done.send(()).expect("somebody waits");
            }
        });
        Self { address: hear.recv().expect("the mock starts"), make: Mutex::new(make) }
    }

    /// Makes a topic, for which the mock has no protocol.
    pub fn make(&self, topic: &str, partitions: i32) {
        let (done, wait) = mpsc::channel();
        let make = self.make.lock().expect("no test panics while it asks");
        make.send((topic.to_owned(), partitions, done)).expect("the mock lives");
        wait.recv().expect("the mock answers");
    }
}
