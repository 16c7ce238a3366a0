//! What SQLite owes beyond the contract: the lock, readers beside a writer, a full disk, and
//! that an erased key is nowhere in the folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use super::*;
use crate::{KeyChange, NewEvent, Wake};

#[test]
fn a_statement_that_fails_is_told_without_its_text() {
    let connection = Connection::open_in_memory().unwrap();
    let twice = "CREATE TABLE a (b); CREATE TABLE a (b)";
    let error = StoreError::from(connection.execute_batch(twice).unwrap_err());
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "table a already exists");
}

/// A folder that goes with the test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("kulanz-store-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.0.exists() {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

fn fresh() -> impl AsyncFn() -> Arc<dyn Store> {
    let folder = Folder::new();
    async move || Arc::new(SqliteStore::open(folder.path()).unwrap()) as Arc<dyn Store>
}

crate::contract_tests!(fresh);

fn append(id: &str, payload_bytes: usize) -> Append {
    Append {
        account: id.parse().unwrap(),
        partition: 0,
        expected_version: 0,
        events: vec![NewEvent {
            kind: "InvoiceIssued",
            payload: "x".repeat(payload_bytes),
            recorded_at: Timestamp::UNIX_EPOCH,
            cause: "shop#1".to_owned(),
        }],
        snapshot: None,
        wake: Wake::Keep,
        inbox: Vec::new(),
        requests: Vec::new(),
        key: KeyChange::Keep,
        secrets: Vec::new(),
        forgets: Vec::new(),
        outbox: Vec::new(),
        held: Vec::new(),
        paylinks: Vec::new(),
        views: None,
    }
}

#[tokio::test]
async fn a_store_in_memory_needs_no_folder() {
    let store = SqliteStore::in_memory().unwrap();
    store.commit(vec![append("shop/d1", 3)]).await.unwrap();
    assert_eq!(store.events_after(0, 9).await.unwrap().len(), 1);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_has_one_writer_at_a_time_and_is_free_again_afterwards() {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.path()).unwrap();
    assert!(matches!(SqliteStore::open(folder.path()), Err(StoreError::InUse)));
    drop(store);
    assert!(SqliteStore::open(folder.path()).is_ok());
}

#[tokio::test]
async fn others_read_beside_the_writer_and_after_it_but_never_write() {
    let folder = Folder::new();
    assert!(SqliteStore::open_read_only(folder.path()).is_err());
    let store = SqliteStore::open(folder.path()).unwrap();
    let beside = SqliteStore::open_read_only(folder.path()).unwrap();
    store.commit(vec![append("shop/d1", 3)]).await.unwrap();
    assert_eq!(beside.events_after(0, 9).await.unwrap().len(), 1);
    let refused = beside.commit(vec![append("shop/d2", 3)]).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
    assert!(matches!(beside.put_meta("a".into(), None).await, Err(StoreError::ReadOnly)));
    drop((store, beside));
    let after = SqliteStore::open_read_only(folder.path()).unwrap();
    assert_eq!(after.events_after(0, 9).await.unwrap().len(), 1);
    assert_eq!(after.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_full_disk_is_an_error_of_its_own_writes_nothing_and_passes() {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.path()).unwrap();
    store.commit(vec![append("shop/d0", 100)]).await.unwrap();
    let limit = |pages: &'static str| {
        store.write(move |writer| {
            let _: i64 = writer.connection.query_row(pages, [], |row| row.get(0))?;
            Ok(())
        })
    };
    // Below what is in use SQLite takes what is in use.
    limit("PRAGMA max_page_count = 1").await.unwrap();
    let large = vec![append("shop/d1", 10), append("shop/d2", 100_000)];
    for _ in 0..2 {
        let full = store.commit(large.clone()).await;
        assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
        assert_eq!(store.events_after(0, 9).await.unwrap().len(), 1);
    }
    let small = store.commit(vec![append("shop/d3", 10)]).await.unwrap();
    assert!(matches!(small[..], [Outcome::Committed { .. }]));
    limit("PRAGMA max_page_count = 1000000").await.unwrap();
    let outcomes = store.commit(large).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed { .. })));
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_erased_key_is_nowhere_in_the_folder() {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.path()).unwrap();
    let marked = |number: usize, mark: &str| format!("{mark}-{number:04}").repeat(4).into_bytes();
    let batch = (0..400).map(|number| {
        let mut new = append(&format!("shop/d{number}"), 50);
        new.key = KeyChange::Create(marked(number, "KEY"));
        let slots = ["debtor", "invoice/R-1"];
        new.secrets = slots
            .map(|slot| Secret {
                slot: slot.to_owned(),
                stamp: "1".to_owned(),
                sealed: marked(number, "SECRET").repeat(6),
            })
            .to_vec();
        new
    });
    store.commit(batch.collect()).await.unwrap();
    assert!(content(folder.path()).contains("KEY-0123"));
    let erasures = (0..400).step_by(3).map(|number| Append {
        expected_version: 1,
        key: KeyChange::Destroy,
        ..append(&format!("shop/d{number}"), 50)
    });
    store.commit(erasures.collect()).await.unwrap();
    let left = content(folder.path());
    for number in 0..400 {
        let there = number % 3 != 0;
        assert_eq!(left.contains(&format!("KEY-{number:04}")), there, "key of {number}");
        let secret = format!("SECRET-{number:04}");
        // A page that was split may hold a second copy of what has moved: cipher text that no
        // key opens any more. The key itself may not.
        assert!(!there || left.contains(&secret), "secret of {number}");
    }
    drop(store);
    assert!(!content(folder.path()).contains("KEY-0123"));
}

/// All files of the folder, one after the other.
fn content(folder: &Path) -> String {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

#[tokio::test]
async fn the_bare_loop_writes_the_rows_that_the_store_writes() {
    let (ours, bare) = (Folder::new(), Folder::new());
    let mut second = append("shop/d1", 20);
    second.expected_version = 1;
    let mut first = append("shop/d1", 10);
    first.inbox = vec![InboxKey { source: "shop".to_owned(), id: "1".to_owned() }];
    first.key = KeyChange::Create(vec![1; 40]);
    first.wake = Wake::At(Timestamp::UNIX_EPOCH);
    let appends = [first, append("shop/d2", 5), second];
    bare_insert(bare.path(), &appends).unwrap();
    let store = SqliteStore::open(ours.path()).unwrap();
    store.commit(appends.to_vec()).await.unwrap();
    let yardstick = SqliteStore::open(bare.path()).unwrap();
    let ids = store.accounts(None, None, 9).await.unwrap();
    assert_eq!(yardstick.heads(ids.clone()).await.unwrap(), store.heads(ids).await.unwrap());
    assert_eq!(yardstick.check().await.unwrap(), Vec::<String>::new());
    let known = vec![InboxKey { source: "shop".to_owned(), id: "1".to_owned() }];
    assert_eq!(yardstick.recorded(known).await.unwrap(), [true]);
}

/// What one caller's work does to a thread is no other caller's trouble.
#[tokio::test]
async fn work_that_panics_is_undone_and_the_threads_go_on() {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.path()).unwrap();
    for _ in 0..9 {
        let writer = store.writer.as_ref().unwrap();
        let written = writer.run(|writer| -> Result<(), StoreError> {
            writer.connection.execute_batch(
                "BEGIN IMMEDIATE; INSERT INTO meta (key, value) VALUES ('half', 'done')",
            )?;
            panic!("while it is half done")
        });
        assert!(matches!(written.await, Err(StoreError::Backend(_))));
        let readers = store.readers.as_ref().unwrap();
        let read = readers.run(|_| -> Result<(), StoreError> { panic!("while it reads") });
        assert!(matches!(read.await, Err(StoreError::Backend(_))));
    }
    assert_eq!(store.meta("half".to_owned()).await.unwrap(), None);
    store.put_meta("whole".to_owned(), Some("done".to_owned())).await.unwrap();
    assert_eq!(store.meta("whole".to_owned()).await.unwrap().as_deref(), Some("done"));
}
