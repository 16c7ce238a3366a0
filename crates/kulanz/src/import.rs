//! `kulanz import` and `kulanz events check`: event files.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    process::ExitCode,
    thread::JoinHandle,
};

use anyhow::{Result, anyhow, bail};
use kulanz_engine::{Mode, clock::Clock};
use kulanz_wire::{
    DecodeOptions, Inbound, Rejection,
    files::{self, Lines},
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    house::{House, Places, count, harmless, load_policies},
    intake::{self, Answer, Arrived, Counts},
    progress,
};

/// Events recorded at once.
const CHUNK: usize = 2000;
/// Bytes of events recorded at once: a few large ones must not fill the memory.
const CHUNK_BYTES: usize = 4 << 20;
/// Chunks that are recorded while the next one is read.
const AHEAD: usize = 2;

/// A line that has left its file.
struct Taken {
    bytes: Vec<u8>,
    origin: String,
    decoded: Result<Inbound, Rejection>,
}

/// What was read of a file, in its order.
type Chunks = mpsc::Receiver<Result<Vec<Taken>>>;

fn open(path: &Path) -> Result<Lines> {
    if path.as_os_str() == "-" {
        return Ok(files::over(Box::new(std::io::stdin()), 0, Path::new("standard input"))?);
    }
    Ok(files::open(path)?)
}

/// Reads lines in a thread of their own; chunks come back in order.
fn read(
    path: PathBuf,
    options: impl Fn(&kulanz_domain::ids::CreditorId, &str) -> bool + Sync + Send + 'static,
) -> Result<(files::Progress, Chunks, JoinHandle<()>)> {
    let mut lines = open(&path)?;
    let progress = lines.progress();
    let (give, take) = mpsc::channel(AHEAD);
    let reading = std::thread::spawn(move || {
        let options = DecodeOptions { harmless_attributes: &options };
        let name = path.display().to_string();
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let mut end = false;
            let mut held = 0;
            while chunk.len() < CHUNK && held < CHUNK_BYTES {
                match lines.next_line() {
                    Ok(Some(line)) => {
                        let origin = format!("file:{name}:{}", line.number);
                        held += line.content.as_ref().map_or(0, |bytes| bytes.len());
                        chunk.push(match line.content {
                            Ok(bytes) => Taken {
                                decoded: intake::decoded(|| kulanz_wire::decode(bytes, &options)),
                                bytes: bytes.to_vec(),
                                origin,
                            },
                            Err(rejection) => {
                                Taken { bytes: Vec::new(), origin, decoded: Err(rejection) }
                            }
                        });
                    }
                    Ok(None) => {
                        end = true;
                        break;
                    }
                    Err(error) => {
                        // What was read before the fault still counts; then the fault is told.
                        if give.blocking_send(Ok(chunk)).is_ok() {
                            let _ = give.blocking_send(Err(error.into()));
                        }
                        return;
                    }
                }
            }
            if give.blocking_send(Ok(chunk)).is_err() || end {
                return;
            }
        }
    });
    Ok((progress, take, reading))
}

/// Records files. Exit code 1 where something was rejected.
pub async fn run(places: Places, paths: Vec<PathBuf>, as_json: bool) -> Result<ExitCode> {
    for path in paths.iter().filter(|path| path.as_os_str() != "-") {
        if !path.is_file() {
            bail!("no file {}", path.display());
        }
    }
    let house = House::open(places, Clock::wall(), Mode::Recording).await?;
    let mut counts = Counts::default();
    let mut ignored = std::collections::BTreeMap::<String, u64>::new();
    for path in paths {
        let loaded = std::sync::Arc::clone(&house.loaded);
        let lists = move |creditor: &_, attribute: &_| harmless(&loaded)(creditor, attribute);
        let shown = path.display().to_string();
        let (read, mut chunks, reading) = read(path, lists)?;
        let bar = progress::bytes(read.total());
        bar.set_message(shown);
        // One chunk is written while the next is decided.
        let mut waiting: std::collections::VecDeque<tokio::task::JoinHandle<Result<Vec<Answer>>>> =
            std::collections::VecDeque::new();
        let mut fault = None;
        loop {
            let chunk = chunks.recv().await;
            let done = chunk.is_none();
            match chunk {
                Some(Ok(chunk)) => {
                    let engine = house.engine.clone();
                    waiting.push_back(tokio::spawn(async move { record(&engine, chunk).await }));
                }
                Some(Err(error)) => fault = Some(error),
                None => {}
            }
            while waiting.len() > AHEAD || (done && !waiting.is_empty()) {
                let Some(first) = waiting.pop_front() else { break };
                for answer in first.await?? {
                    counts.count(&answer);
                    for pointer in answer.ignored {
                        *ignored.entry(pointer).or_default() += 1;
                    }
                }
                bar.set_position(read.read());
            }
            if done {
                break;
            }
        }
        bar.finish_and_clear();
        if fault.is_none() && reading.join().is_err() {
            fault = Some(anyhow!("the program panicked where it reads files"));
        }
        if let Some(fault) = fault {
            print(&counts, as_json)?;
            return Err(fault.context(
                "the rest of this file was not read; what was counted is \
                                      recorded, so the whole file can be imported again",
            ));
        }
    }
    print(&counts, as_json)?;
    for (pointer, number) in &ignored {
        eprintln!("note: {pointer} was kept out of {}: no schema names it", count_events(*number));
    }
    if counts.rejected > 0 {
        eprintln!("`kulanz dead-letters list` says why");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn record(engine: &kulanz_engine::Engine, chunk: Vec<Taken>) -> Result<Vec<Answer>> {
    let arrived = chunk.iter().map(|taken| Arrived {
        bytes: Cow::Borrowed(&taken.bytes),
        origin: taken.origin.clone(),
        decoded: taken.decoded.clone(),
    });
    intake::take(engine, arrived.collect()).await
}

fn count_events(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "event")
}

fn print(counts: &Counts, as_json: bool) -> Result<()> {
    match as_json {
        true => println!("{}", serde_json::to_string_pretty(counts)?),
        false => println!(
            "{} accepted, {} duplicates, {} rejected",
            counts.accepted, counts.duplicates, counts.rejected
        ),
    }
    Ok(())
}

/// Checks files; nothing is recorded. Exit code 1 where something breaks the contract.
pub fn check(places: &Places, paths: &[PathBuf], as_json: bool) -> Result<ExitCode> {
    // Without policies only what needs them cannot be told.
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let creditors = match places.config.join("policies").is_dir() {
        true => Some(load_policies(&places.config, today)?),
        false => None,
    };
    let (mut good, mut found) = (0_u64, Vec::new());
    for path in paths {
        let mut lines = open(path)?;
        let progress = lines.progress();
        let bar = progress::bytes(progress.total());
        bar.set_message(path.display().to_string());
        while let Some(line) = lines.next_line()? {
            let place = format!("{}:{}", path.display(), line.number);
            let decoded =
                line.content.and_then(|bytes| kulanz_wire::decode(bytes, &DecodeOptions::STRICT));
            match decoded {
                Ok(inbound) => {
                    good += 1;
                    for pointer in &inbound.ignored {
                        found.push((
                            place.clone(),
                            "note",
                            pointer.clone(),
                            "kept out: no schema names it".to_owned(),
                        ));
                    }
                    let creditor = &inbound.account.creditor;
                    let known =
                        creditors.as_ref().is_none_or(|l| l.creditors.contains_key(creditor));
                    if !known {
                        let sentence = format!("no file policies/creditors/{creditor}.yaml");
                        found.push((place, "error", "/subject".to_owned(), sentence));
                    }
                }
                Err(rejection) => {
                    found.push((place, "error", rejection.pointer, rejection.sentence));
                }
            }
            if good % 4096 == 0 {
                bar.set_position(progress.read());
            }
        }
        bar.finish_and_clear();
    }
    let errors = found.iter().filter(|(_, severity, ..)| *severity == "error").count();
    if as_json {
        let rows: Vec<_> = found
            .iter()
            .map(|(place, severity, pointer, sentence)| {
                json!({ "place": place, "severity": severity, "pointer": pointer,
                        "sentence": sentence })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&json!({ "good": good, "found": rows }))?);
    } else {
        for (place, severity, pointer, sentence) in &found {
            let pointer = if pointer.is_empty() { "" } else { &format!("{pointer}: ") };
            println!("{place}: {severity}: {pointer}{sentence}");
        }
        println!("{good} events keep to the contract, {errors} do not");
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
