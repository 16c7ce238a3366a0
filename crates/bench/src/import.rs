//! Durable import into SQLite, by the way that `kulanz import` goes.

use std::{
    collections::VecDeque,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};
use kulanz_engine::{Engine, Incoming, Mode, Receipt, clock::Clock, vault::Vault};
use kulanz_store::{Append, InboxKey, Store, sqlite::SqliteStore};
use kulanz_wire::{DecodeOptions, files};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{history::Shipped, recorder::Recorder};

/// Events recorded at once.
const CHUNK: usize = 2000;
/// Chunks that are recorded while the next one is read.
const AHEAD: usize = 2;

/// An engine on a store, without anybody who sends.
pub fn engine(store: Arc<dyn Store>, shipped: &Shipped, clock: Clock) -> Engine {
    Engine::start(store, Arc::new(Vault::new([7; 32])), clock, shipped.rules(), Mode::Recording)
}

/// Imports `file` into a new database in `folder`; how many events, and how long it took from
/// opening the file to the last durable answer.
pub async fn import(shipped: &Arc<Shipped>, file: &Path, folder: &Path) -> Result<(u64, Duration)> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder)?);
    let engine = engine(store, shipped, Clock::wall());
    let begun = Instant::now();
    let events = record(&engine, shipped, file).await?;
    Ok((events, begun.elapsed()))
}

/// What an import of `file` commits.
pub async fn appends(shipped: &Arc<Shipped>, file: &Path, folder: &Path) -> Result<Vec<Append>> {
    let recorder = Arc::new(Recorder::new(Arc::new(SqliteStore::open(folder)?)));
    let store: Arc<dyn Store> = Arc::clone(&recorder) as Arc<dyn Store>;
    record(&engine(store, shipped, Clock::wall()), shipped, file).await?;
    Ok(recorder.take())
}

/// Records all events of `file`; how many.
pub async fn record(engine: &Engine, shipped: &Arc<Shipped>, file: &Path) -> Result<u64> {
    let mut chunks = read(file, Arc::clone(shipped))?;
    let mut waiting: VecDeque<JoinHandle<Result<u64>>> = VecDeque::new();
    let mut events = 0;
    while let Some(chunk) = chunks.recv().await {
        let (chunk, engine) = (chunk?, engine.clone());
        waiting.push_back(tokio::spawn(async move {
            let receipts = engine.record(chunk).await?;
            match receipts.iter().find(|receipt| **receipt != Receipt::Accepted) {
                Some(other) => bail!("an event was not accepted: {other:?}"),
                None => Ok(u64::try_from(receipts.len())?),
            }
        }));
        if waiting.len() >= AHEAD
            && let Some(first) = waiting.pop_front()
        {
            events += first.await??;
        }
    }
    for rest in waiting {
        events += rest.await??;
    }
    Ok(events)
}

/// Reads and decodes in a thread of its own.
fn read(file: &Path, shipped: Arc<Shipped>) -> Result<mpsc::Receiver<Result<Vec<Incoming>>>> {
    let mut lines = files::open(file)?;
    let (give, take) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        let harmless = |creditor: &_, name: &str| shipped.is_harmless(creditor, name);
        let options = DecodeOptions { harmless_attributes: &harmless };
        loop {
            let chunk = next_chunk(&mut lines, &options);
            let last = !matches!(&chunk, Ok(chunk) if chunk.len() == CHUNK);
            if give.blocking_send(chunk).is_err() || last {
                return;
            }
        }
    });
    Ok(take)
}

fn next_chunk(lines: &mut files::Lines, options: &DecodeOptions<'_>) -> Result<Vec<Incoming>> {
    let mut chunk = Vec::with_capacity(CHUNK);
    while chunk.len() < CHUNK
        && let Some(line) = lines.next_line()?
    {
        let bytes = line.content.map_err(|rejection| anyhow!("{rejection}"))?;
        let event = kulanz_wire::decode(bytes, options)?;
        let mut secrets = Vec::with_capacity(event.secrets.len());
        for (slot, personal) in event.secrets {
            secrets.push((slot, serde_json::to_vec(&*personal)?));
        }
        let (source, id) = event.key;
        chunk.push(Incoming {
            key: InboxKey { source, id },
            account: event.account,
            stamp: event.stamp,
            fact: event.fact,
            secrets,
            recorded_at: None,
            trace: None,
        });
    }
    Ok(chunk)
}
