//! What stands beside Kulanz: a PostgreSQL and a Kafka of our own on loopback, by the scripts that
//! the tests start theirs with, and the program itself as a process.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// How long anything may take to get ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that one of our scripts runs. It ends with its standard input, and so with us.
pub struct Service {
    name: &'static str,
    child: Child,
    talk: Option<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Service {
    /// `postgres` or `kafka`, with its files below `folder`.
    pub fn start(name: &'static str, folder: &Path) -> Result<Self> {
        let script = workspace().join(format!("tests/tools/{name}.sh"));
        let mut command = Command::new("bash");
        command.arg(script).arg("serve").arg(folder);
        // Benchmarks measure what was started for them.
        command.env_remove("KULANZ_TEST_POSTGRES").env_remove("KULANZ_TEST_KAFKA");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (say, hear) = child.stdin.take().zip(child.stdout.take()).context("piped")?;
        let mut service = Self { name, child, talk: Some((say, BufReader::new(hear))) };
        match service.hear()?.as_str() {
            "ready" => Ok(service),
            other => bail!("{name} does not start: {other}"),
        }
    }

    /// Says a line to the script; what it answers.
    pub fn ask(&mut self, line: &str) -> Result<String> {
        let (say, _) = self.talk.as_mut().context("talks until it is dropped")?;
        writeln!(say, "{line}")?;
        let answer = self.hear()?;
        if answer.is_empty() || answer.starts_with("refused") {
            bail!("{}, asked for `{line}`: {answer}", self.name);
        }
        Ok(answer)
    }

    fn hear(&mut self) -> Result<String> {
        let (_, hear) = self.talk.as_mut().context("talks until it is dropped")?;
        let mut answer = String::new();
        hear.read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.talk = None;
        if let Err(error) = self.child.wait() {
            eprintln!("{} did not end: {error}", self.name);
        }
    }
}

/// An installation of Kulanz in a folder.
pub struct House {
    folder: PathBuf,
    password: String,
}

impl House {
    /// In a new folder, with `settings` as its `kulanz.yaml`.
    pub fn new(folder: PathBuf, settings: &serde_json::Value, password: &str) -> Result<Self> {
        fs::create_dir_all(folder.join("config"))?;
        fs::write(folder.join("config/kulanz.yaml"), settings.to_string())?;
        Ok(Self { folder, password: password.to_owned() })
    }

    /// Where its policies are.
    pub fn policies(&self) -> PathBuf {
        self.folder.join("config/policies")
    }

    /// Its folder, for people.
    pub fn place(&self) -> std::path::Display<'_> {
        self.folder.display()
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let program = std::env::current_exe()?.with_file_name("kulanz");
        if !program.is_file() {
            bail!("{} is missing: start this by `make bench-cluster`", program.display());
        }
        let mut command = Command::new(program);
        command.args(arguments);
        command.arg("--data").arg(self.folder.join("data"));
        command.arg("--config").arg(self.folder.join("config"));
        command.env(crate::PASSWORD, &self.password);
        for name in ["KULANZ_TOKEN", "KULANZ_PERSON", "KULANZ_LOG"] {
            command.env_remove(name);
        }
        Ok(command)
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let done = self.command(arguments)?.output()?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            bail!("kulanz {} failed: {said}", arguments.join(" "));
        }
        Ok(String::from_utf8(done.stdout)?)
    }

    /// Starts the server; comes back at once.
    pub fn serve(&self) -> Result<Serving> {
        let log = fs::File::create(self.folder.join("serve.log"))?;
        let address = self.folder.join("data/server.json");
        if address.is_file() {
            fs::remove_file(&address)?;
        }
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"])?;
        command.env("KULANZ_LOG", "warn").stdin(Stdio::null());
        let child = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Serving { child, address, log: self.folder.join("serve.log") })
    }
}

/// A server at work, killed when dropped.
pub struct Serving {
    child: Child,
    address: PathBuf,
    log: PathBuf,
}

impl Serving {
    /// Waits until it has begun to serve.
    pub fn ready(&mut self) -> Result<()> {
        let since = Instant::now();
        while !self.address.is_file() {
            self.alive()?;
            if since.elapsed() > PATIENCE {
                bail!("the server does not get ready: {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Fails where it has ended.
    pub fn alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("the server ended ({status}): {}", self.said()),
            None => Ok(()),
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Most memory that it ever held, in bytes.
    pub fn peak_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes =
            line.and_then(|line| line.trim().strip_suffix(" kB")).context("no VmHWM")?;
        Ok(kilobytes.trim().parse::<u64>()? * 1024)
    }

    /// Seconds of processor time so far, of all its threads.
    pub fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("a stat line")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
        // USER_HZ is 100 on every Linux that there is.
        Ok(ticks as f64 / 100.0)
    }

    /// Ends it as an operator would.
    pub fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").arg("-TERM").arg(&pid).status()?;
        let since = Instant::now();
        while self.child.try_wait()?.is_none() {
            if since.elapsed() > PATIENCE {
                bail!("the server did not end: {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
