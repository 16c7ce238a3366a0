//! `kulanz import` and `kulanz events check`: event files.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    process::ExitCode,
    thread::JoinHandle,
};

use anyhow::{Result, anyhow, bail};
use kulanz_domain::ids::CreditorId;
use kulanz_engine::{Engine, Mode, clock::Clock};
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
    mut lines: Lines,
    name: String,
    options: impl Fn(&CreditorId, &str) -> bool + Sync + Send + 'static,
) -> (Chunks, JoinHandle<()>) {
    let (give, take) = mpsc::channel(AHEAD);
    let reading = std::thread::spawn(move || {
        let options = DecodeOptions { harmless_attributes: &options };
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
    (take, reading)
}

/// Records files. Exit code 1 where something was rejected.
pub async fn run(places: Places, paths: Vec<PathBuf>, as_json: bool) -> Result<ExitCode> {
    for path in paths.iter().filter(|path| path.as_os_str() != "-") {
        if !path.is_file() {
            bail!("no file {}", path.display());
        }
    }
    let house = House::open(places, Clock::wall(), Mode::Recording).await?;
    let mut all = Recorded::default();
    for path in paths {
        let loaded = std::sync::Arc::clone(&house.loaded);
        let lists = move |creditor: &_, attribute: &_| harmless(&loaded)(creditor, attribute);
        let lines = open(&path)?;
        let name = path.display().to_string();
        if let Err(fault) = record_all(&house.engine, lines, name, lists, &mut all).await {
            print(&all.counts, as_json)?;
            return Err(fault.context(
                "the rest of this file was not read; what was counted is \
                                      recorded, so the whole file can be imported again",
            ));
        }
    }
    let Recorded { counts, ignored } = all;
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

/// What came of files.
#[derive(Debug, Default)]
struct Recorded {
    counts: Counts,
    /// How often a member that no schema names was kept out.
    ignored: BTreeMap<String, u64>,
}

/// Records the lines of a file. An error means that the rest of it was not read.
async fn record_all(
    engine: &Engine,
    lines: Lines,
    name: String,
    options: impl Fn(&CreditorId, &str) -> bool + Sync + Send + 'static,
    all: &mut Recorded,
) -> Result<()> {
    let read_so_far = lines.progress();
    let bar = progress::bytes(read_so_far.total());
    bar.set_message(name.clone());
    let (mut chunks, reading) = read(lines, name, options);
    // One chunk is written while the next is decided.
    let mut waiting: VecDeque<tokio::task::JoinHandle<Result<Vec<Answer>>>> = VecDeque::new();
    let mut fault = None;
    loop {
        let chunk = chunks.recv().await;
        let done = chunk.is_none();
        match chunk {
            Some(Ok(chunk)) => {
                let engine = engine.clone();
                waiting.push_back(tokio::spawn(async move { record(&engine, chunk).await }));
            }
            Some(Err(error)) => fault = Some(error),
            None => {}
        }
        while waiting.len() > AHEAD || (done && !waiting.is_empty()) {
            let Some(first) = waiting.pop_front() else { break };
            for answer in first.await?? {
                all.counts.count(&answer);
                for pointer in answer.ignored {
                    *all.ignored.entry(pointer).or_default() += 1;
                }
            }
            bar.set_position(read_so_far.read());
        }
        if done {
            break;
        }
    }
    bar.finish_and_clear();
    if fault.is_none() && reading.join().is_err() {
        fault = Some(anyhow!("the program panicked where it reads files"));
    }
    fault.map_or(Ok(()), Err)
}

async fn record(engine: &Engine, chunk: Vec<Taken>) -> Result<Vec<Answer>> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::io::{Cursor, Read};

    use super::*;
    use crate::house::testing;

    fn line(number: u32, attributes: serde_json::Value) -> String {
        let data = json!({ "creditor": "lindenmoor", "debtor": "K-1", "name": "Kim", "kind": "consumer",
                           "language": "de", "country": "DE", "attributes": attributes });
        let event = json!({ "specversion": "1.0", "id": format!("{number}"), "source": "/shop",
                            "type": "kulanz.debtor.updated.v1", "subject": "lindenmoor/K-1",
                            "time": format!("2026-03-01T08:00:{number:02}Z"), "data": data });
        format!("{event}\n")
    }

    /// Has some lines, and makes the program panic after them.
    struct Broken(Cursor<Vec<u8>>);

    impl Read for Broken {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(into)? {
                0 => panic!("Kim lives at kim@example.org"),
                read => Ok(read),
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_makes_the_program_panic_is_told_as_not_read_to_its_end() {
        let (_folder, house) = testing::house().await;
        let from = Broken(Cursor::new(line(1, json!({})).into_bytes()));
        let lines = files::over(Box::new(from), 0, Path::new("events")).unwrap();
        let mut all = Recorded::default();
        let name = "events".to_owned();
        let told = record_all(&house.engine, lines, name, |_, _| true, &mut all).await;
        let told = format!("{:#}", told.unwrap_err());
        assert_eq!(told, "the program panicked where it reads files");
    }

    #[tokio::test]
    async fn an_event_that_makes_the_program_panic_is_kept_and_the_others_are_recorded() {
        let (_folder, house) = testing::house().await;
        let whole = line(1, json!({})) + &line(2, json!({ "tier": "x" })) + &line(3, json!({}));
        let from = Cursor::new(whole.into_bytes());
        let lines = files::over(Box::new(from), 0, Path::new("events")).unwrap();
        let mut all = Recorded::default();
        let name = "events".to_owned();
        let lists = |_: &CreditorId, _: &str| -> bool { panic!("Kim lives at kim@example.org") };
        record_all(&house.engine, lines, name, lists, &mut all).await.unwrap();
        assert_eq!((all.counts.accepted, all.counts.rejected), (2, 1));
        let letter = house.engine.store().dead_letters(true, 9).await.unwrap().remove(0);
        assert_eq!((letter.reason.as_str(), letter.origin.as_str()), ("fault", "file:events:2"));
        assert!(!letter.detail.contains("Kim"), "{}", letter.detail);
    }
}
