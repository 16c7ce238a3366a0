//! The server or the way to it fails.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::*;
use crate::contract::rows::{append, commit, key};

/// Longer than any limit that a test sets, shorter than a hang.
const SOON: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_is_a_fault_meanwhile_and_then_found_again() {
    let server = server::Server::own();
    let store = PostgresStore::open_alone(config(&server.database())).await.unwrap();
    commit(&store, vec![append("shop/d1", 0, &["1"])]).await;
    // More than one connection is there when it goes.
    let reads: Vec<_> = (0..4).map(|_| store.events_after(0, 9)).collect();
    for events in futures_util::future::join_all(reads).await {
        assert_eq!(events.unwrap().len(), 1);
    }
    server.ask("stop");
    let begun = Instant::now();
    for _ in 0..3 {
        let read = store.events_after(0, 9).await;
        assert!(matches!(read, Err(StoreError::Unreachable(..))), "{read:?}");
        let written = store.commit(vec![append("shop/d2", 0, &["1"])]).await;
        assert!(matches!(written, Err(StoreError::Unreachable(..))), "{written:?}");
    }
    assert!(begun.elapsed() < SOON);
    server.ask("start");
    assert_eq!(store.events_after(0, 9).await.unwrap().len(), 1);
    commit(&store, vec![append("shop/d2", 0, &["1"])]).await;
    assert_eq!(store.events_after(0, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn who_lost_the_lock_with_the_connection_learns_that_another_one_serves() {
    let url = server::database();
    let store = PostgresStore::open_alone(config(&url)).await.unwrap();
    let own = client(&url).await;
    let end_all = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    own.query(end_all, &[]).await.unwrap();
    // Nobody else came: it takes the lock again and goes on.
    commit(&store, vec![append("shop/d1", 0, &["1"])]).await;
    let refused = PostgresStore::open_alone(config(&url)).await;
    assert!(matches!(refused, Err(StoreError::InUse)));
    own.query(end_all, &[]).await.unwrap();
    let _other = PostgresStore::open_alone(config(&url)).await.unwrap();
    let refused = store.commit(vec![append("shop/d1", 1, &["2"])]).await;
    assert!(matches!(refused, Err(StoreError::InUse)), "{refused:?}");
}

#[tokio::test]
async fn a_full_disk_of_the_server_is_an_error_of_its_own_writes_nothing_and_passes() {
    let url = server::database();
    let store = PostgresStore::open(config(&url)).await.unwrap();
    // The server says so itself, late in the batch.
    let own = client(&url).await;
    own.batch_execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100';
         END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON claims EXECUTE FUNCTION full_disk()",
    )
    .await
    .unwrap();
    let batch = || {
        let views =
            Views { claims: vec![crate::contract::rows::claim("R-1", 1)], ..Views::default() };
        vec![append("shop/d0", 0, &["1"]), crate::contract::rows::with_views("shop/d1", views)]
    };
    for _ in 0..2 {
        let full = store.commit(batch()).await;
        assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
        assert_eq!(store.events_after(0, 9).await.unwrap(), []);
    }
    own.batch_execute("DROP TRIGGER full_disk ON claims").await.unwrap();
    commit(&store, batch()).await;
}

/// What a [`Way`] does with the bytes of the connections over it.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Passes,
    /// Takes them and delivers none.
    Silent,
    /// Ends each connection as soon as a COMMIT was delivered, before the answer comes.
    CutsAfterCommit,
    /// Ends each connection instead of delivering a COMMIT.
    CutsBeforeCommit,
}

/// A way to the server that can fail.
struct Way {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    cut: Arc<AtomicBool>,
}

impl Way {
    async fn to(url: &str) -> (Self, String) {
        let server = url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, told) = watch::channel(Mode::Passes);
        let cut = Arc::new(AtomicBool::new(false));
        let was_cut = Arc::clone(&cut);
        let to = server.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&to).await.unwrap();
                tokio::spawn(carry(near, far, told.clone(), Arc::clone(&was_cut)));
            }
        });
        let url = url.replace(&server, &address.to_string());
        (Self { address, mode, cut }, url)
    }

    /// Does so from now on, until it has cut a connection where that is what it does.
    fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn carry(
    mut near: TcpStream,
    mut far: TcpStream,
    mode: watch::Receiver<Mode>,
    cut: Arc<AtomicBool>,
) {
    let (mut up, mut down) = ([0; 65_536], [0; 65_536]);
    loop {
        tokio::select! {
            read = near.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                let bytes = &up[..length];
                let now = *mode.borrow();
                let cuts = matches!(now, Mode::CutsBeforeCommit | Mode::CutsAfterCommit)
                    && bytes.windows(7).any(|word| word == b"COMMIT\0")
                    && !cut.swap(true, Ordering::SeqCst);
                if now == Mode::Silent {
                    continue;
                }
                if !(cuts && now == Mode::CutsBeforeCommit) {
                    far.write_all(bytes).await.unwrap();
                }
                if cuts {
                    if now == Mode::CutsAfterCommit {
                        // The server has done it once it answers.
                        let answered = far.read(&mut down).await.unwrap();
                        assert!(answered > 0);
                    }
                    return;
                }
            }
            read = far.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                if *mode.borrow() != Mode::Silent && near.write_all(&down[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_known_to_have_taken_effect() {
    let (way, url) = Way::to(&server::database()).await;
    let store = PostgresStore::open(config(&url)).await.unwrap();
    commit(&store, vec![append("shop/d0", 0, &["1"])]).await;
    way.set(Mode::CutsAfterCommit);
    let batch = vec![Append { inbox: vec![key("bank", "1")], ..append("shop/d1", 0, &["1", "2"]) }];
    let outcomes = store.commit(batch).await.unwrap();
    assert!(way.cut.load(Ordering::SeqCst), "the connection over {} was cut", way.address);
    let events = store.stream("shop/d1".parse().unwrap(), 0).await.unwrap();
    let last_position = events[1].position;
    assert_eq!((outcomes, events.len()), (vec![Outcome::Committed { last_position }], 2));
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_done_again() {
    let (way, url) = Way::to(&server::database()).await;
    let store = PostgresStore::open(config(&url)).await.unwrap();
    commit(&store, vec![append("shop/d0", 0, &["1"])]).await;
    way.set(Mode::CutsBeforeCommit);
    let batch = vec![Append { inbox: vec![key("bank", "1")], ..append("shop/d1", 0, &["1"]) }];
    commit(&store, batch).await;
    assert!(way.cut.load(Ordering::SeqCst));
    assert_eq!(store.stream("shop/d1".parse().unwrap(), 0).await.unwrap().len(), 1);
    assert_eq!(store.recorded(vec![key("bank", "1")]).await.unwrap(), [true]);
}

#[tokio::test]
async fn a_server_that_falls_silent_is_a_fault_in_bounded_time_and_found_again() {
    let (way, url) = Way::to(&server::database()).await;
    let patience = Duration::from_millis(400);
    let store = PostgresStore::open(config(&url).with_patience(patience)).await.unwrap();
    commit(&store, vec![append("shop/d1", 0, &["1"])]).await;
    way.set(Mode::Silent);
    let begun = Instant::now();
    let read = store.events_after(0, 9).await;
    assert!(matches!(read, Err(StoreError::Unreachable(..))), "{read:?}");
    let written = store.commit(vec![append("shop/d1", 1, &["2"])]).await;
    assert!(matches!(written, Err(StoreError::Unreachable(..))), "{written:?}");
    let opened = PostgresStore::open(config(&url).with_patience(patience)).await;
    assert!(matches!(opened, Err(StoreError::Unreachable(..))));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    way.set(Mode::Passes);
    commit(&store, vec![append("shop/d1", 1, &["2"])]).await;
    assert_eq!(store.events_after(0, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_text_with_a_nul_stops_no_batch() {
    let store = PostgresStore::open(config(&server::database())).await.unwrap();
    let mut odd = append("shop/d1", 0, &["{}"]);
    odd.events[0].cause = "bank#1\u{0}2".to_owned();
    commit(&store, vec![odd, append("shop/d2", 0, &["{}"])]).await;
    assert_eq!(store.events_after(0, 9).await.unwrap()[0].cause, "bank#1\u{fffd}2");
}
