//! The threads that own connections. Callers hand them closures and await the answer.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    schema,
    writer::{Batch, Writer},
};
use crate::{Outcome, StoreError};

/// Readers: pages are short, so that a few serve many.
const READERS: usize = 3;

/// Appends that may share a transaction: beyond that the wait for the disk no longer counts.
const TOGETHER: usize = 4_096;

/// Where an erasure could not be folded out of the log because someone read, how soon again.
const AGAIN: Duration = Duration::from_secs(1);

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Job {
    Commit(Batch, Answer<Vec<Outcome>>),
    Run(Box<dyn FnOnce(&mut Writer<'_>) + Send>),
}

fn stopped<E>(_: E) -> StoreError {
    StoreError::Backend("the thread that owns the database has stopped".into())
}

fn not_started(error: std::io::Error) -> StoreError {
    StoreError::Backend(error.into())
}

/// Brings all of the log into the main file and cuts it to nothing, so that what was
/// overwritten there is nowhere else; whether no reader stood in the way.
pub(super) fn fold_log(connection: &Connection) -> Result<bool, StoreError> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// Owns the writing connection and the lock on the folder.
pub(super) struct WriterThread {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterThread {
    /// Starts the thread. An earlier process may have ended before its last erasure left the
    /// log, so the log is folded in first.
    pub(super) fn start(connection: Connection, lock: Option<File>) -> Result<Self, StoreError> {
        let folded = fold_log(&connection)?;
        let (jobs, waiting) = channel();
        let (started, start) = channel();
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                match Writer::new(&connection) {
                    Ok(writer) => {
                        if started.send(Ok(())).is_ok() {
                            work_off(writer, &waiting, folded);
                        }
                    }
                    // Where nobody waits for the start any more, nobody misses the reason.
                    Err(error) => drop(started.send(Err(error))),
                }
                drop(connection);
                drop(lock);
            })
            .map_err(not_started)?;
        start.recv().map_err(stopped)??;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) async fn commit(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        let (answer, result) = oneshot::channel();
        self.send(Job::Commit(batch, answer))?;
        result.await.map_err(stopped)?
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        // A caller that no longer waits does not miss the answer; the write stands.
        self.send(Job::Run(Box::new(move |writer| drop(answer.send(work(writer))))))?;
        result.await.map_err(stopped)?
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        self.jobs.as_ref().ok_or_else(|| stopped(()))?.send(job).map_err(stopped)
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            // Its callers were told when their answers were dropped.
        }
    }
}

fn work_off(mut writer: Writer<'_>, waiting: &Receiver<Job>, mut folded: bool) {
    loop {
        let job = if folded {
            waiting.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            waiting.recv_timeout(AGAIN)
        };
        match job {
            Ok(Job::Run(work)) => unharmed(&mut writer, work),
            Ok(Job::Commit(batch, answer)) => {
                let (batches, answers, next) = gather(batch, answer, waiting);
                let erases = batches.iter().any(Batch::erases);
                // Where it panics, its callers hear that nobody answers any more.
                let results = caught(&mut writer, |writer| writer.commit_all(&batches));
                let results = results.unwrap_or_default();
                folded = folded && !erases;
                if !folded {
                    folded = try_fold(writer.connection);
                }
                for (answer, result) in answers.into_iter().zip(results) {
                    // A caller that no longer waits does not miss it: what stands, stands.
                    drop(answer.send(result));
                }
                if let Some(work) = next {
                    unharmed(&mut writer, work);
                }
            }
            Err(RecvTimeoutError::Timeout) => folded = try_fold(writer.connection),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Does one job. One that panics is undone, and its caller hears that no answer comes; the thread
/// goes on for all others.
fn unharmed(writer: &mut Writer<'_>, work: Work) {
    let _ = caught(writer, work);
}

fn caught<'c, T>(writer: &mut Writer<'c>, work: impl FnOnce(&mut Writer<'c>) -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(|| work(writer)));
    if done.is_err() && !writer.connection.is_autocommit() {
        // Where that fails, whoever comes next cannot begin, and hears why.
        let _ = writer.connection.execute_batch("ROLLBACK");
    }
    done.ok()
}

/// A log that cannot be folded in now is tried again after each commit and each second, and
/// when the data are next opened; the commit stands all the same.
fn try_fold(connection: &Connection) -> bool {
    fold_log(connection).unwrap_or(false)
}

type Work = Box<dyn FnOnce(&mut Writer<'_>) + Send>;

/// Commits that wait already, up to the next job of another kind.
fn gather(
    batch: Batch,
    answer: Answer<Vec<Outcome>>,
    waiting: &Receiver<Job>,
) -> (Vec<Batch>, Vec<Answer<Vec<Outcome>>>, Option<Work>) {
    let mut appends = batch.len();
    let (mut batches, mut answers) = (vec![batch], vec![answer]);
    while appends < TOGETHER {
        match waiting.try_recv() {
            Ok(Job::Commit(batch, answer)) => {
                appends += batch.len();
                batches.push(batch);
                answers.push(answer);
            }
            Ok(Job::Run(work)) => return (batches, answers, Some(work)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    (batches, answers, None)
}

type Query = Box<dyn FnOnce(&Connection) + Send>;

/// A few threads, each with a connection that reads.
pub(super) struct Readers {
    queries: Option<Sender<Query>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(file: &Path) -> Result<Self, StoreError> {
        let (queries, waiting) = channel::<Query>();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut readers = Self { queries: Some(queries), threads: Vec::with_capacity(READERS) };
        for number in 1..=READERS {
            let connection = schema::reader(file)?;
            schema::check_version(&connection)?;
            let waiting = Arc::clone(&waiting);
            let thread = thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || answer_queries(&connection, &waiting))
                .map_err(not_started)?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Runs `work` in a transaction, so that all its statements see one moment.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        let query = move |connection: &Connection| {
            let found = connection
                .unchecked_transaction()
                .map_err(StoreError::from)
                // Dropping the transaction ends it: there is nothing to keep.
                .and_then(|transaction| work(&transaction));
            drop(answer.send(found));
        };
        self.queries.as_ref().ok_or_else(|| stopped(()))?.send(Box::new(query)).map_err(stopped)?;
        result.await.map_err(stopped)?
    }
}

fn answer_queries(connection: &Connection, waiting: &Mutex<Receiver<Query>>) {
    loop {
        // Held only while waiting, never while a query runs.
        let query = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match query {
            // One that panics fails alone: its transaction ends with it.
            Ok(query) => drop(catch_unwind(AssertUnwindSafe(|| query(connection)))),
            Err(_) => return,
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queries = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                // Its caller was told when its answer was dropped.
            }
        }
    }
}
