//! Several writers at once: the global order, conflicts, locks.

use std::collections::HashSet;

use super::*;
use crate::{
    OutboxChange, Wake,
    contract::rows::{append, at, commit, key, message, messages, queue},
};

/// A batch of the store's own that has its places in the global order and cannot go on: somebody
/// else is about to put its message.
struct Slow {
    /// Lets it go on when it ends its transaction.
    other: Client,
    commit: tokio::task::JoinHandle<Result<Vec<Outcome>, StoreError>>,
}

impl Slow {
    async fn begin(store: &Arc<PostgresStore>, url: &str, account: &str) -> Self {
        let other = client(url).await;
        let put = "INSERT INTO outbox (notice, account, channel, state, attempts, next_at,
            decided_at, changed_at) VALUES ($1, 0, 'email', 'sent', 1, now(), now(), now())";
        let notice = account.replace('/', "-");
        other.batch_execute("BEGIN").await.unwrap();
        other.execute(put, &[&notice]).await.unwrap();
        let outbox = vec![OutboxChange::Put(message(account, &notice, at(0)))];
        let (own, batch) = (Arc::clone(store), Append { outbox, ..append(account, 0, &["late"]) });
        let waiting = waiting(&other).await;
        let commit = tokio::spawn(async move { own.commit(vec![batch]).await });
        while self::waiting(&other).await == waiting {
            tokio::task::yield_now().await;
        }
        Self { other, commit }
    }

    /// Lets it go on, the message being there or not.
    async fn end(self, how: &str) -> Result<Outcome, StoreError> {
        self.other.batch_execute(how).await.unwrap();
        self.commit.await.unwrap().map(|mut outcomes| outcomes.remove(0))
    }
}

/// How many wait for a lock, as the server says.
async fn waiting(client: &Client) -> i64 {
    let waits = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    client.query_one(waits, &[]).await.unwrap().get(0)
}

/// Positions that a reader gets that goes on from where it stopped.
async fn poll(store: &dyn Store, seen: &mut Vec<u64>) {
    loop {
        let after = seen.last().copied().unwrap_or(0);
        let page = store.events_after(after, 2).await.unwrap();
        if page.is_empty() {
            return;
        }
        seen.extend(page.iter().map(|event| event.position));
    }
}

#[tokio::test]
async fn no_reader_skips_an_event_that_commits_after_later_ones() {
    let url = server::database();
    let store = Arc::new(PostgresStore::open(config(&url)).await.unwrap());
    commit(&*store, vec![append("shop/first", 0, &["1", "2"])]).await;
    let mut seen = Vec::new();
    poll(&*store, &mut seen).await;
    assert_eq!(seen.len(), 2);

    // Two slow ones are under way while later ones commit.
    let slow = Slow::begin(&store, &url, "shop/slow").await;
    commit(&*store, vec![append("shop/second", 0, &["3"])]).await;
    let slower = Slow::begin(&store, &url, "shop/slower").await;
    commit(&*store, vec![append("shop/third", 0, &["4"]), append("shop/fourth", 0, &["5"])]).await;
    assert_eq!(store.stream("shop/fourth".parse().unwrap(), 0).await.unwrap().len(), 1);
    poll(&*store, &mut seen).await;
    assert_eq!(seen.len(), 2, "a reader passed a transaction that is still open");

    let Ok(Outcome::Committed { last_position: late }) = slow.end("ROLLBACK").await else {
        panic!("nobody had put its message")
    };
    poll(&*store, &mut seen).await;
    assert_eq!((seen.len(), seen.get(2)), (4, Some(&late)), "{seen:?}");

    // What is given up leaves a hole and holds nobody up.
    let lost = slower.end("COMMIT").await;
    assert!(matches!(lost, Err(StoreError::Misused(_))), "{lost:?}");
    poll(&*store, &mut seen).await;
    assert_eq!(seen.len(), 6);
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
}

#[tokio::test]
async fn a_batch_of_more_events_than_a_block_has_places_keeps_its_order() {
    let store = PostgresStore::open(config(&server::database())).await.unwrap();
    let payloads: Vec<String> = (0..2_500).map(|number| number.to_string()).collect();
    let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
    let outcomes = store
        .commit(vec![append("shop/d1", 0, &payloads), append("shop/d2", 0, &["last"])])
        .await
        .unwrap();
    let all = store.events_after(0, 9_999).await.unwrap();
    let told: Vec<&str> = all.iter().map(|event| event.payload.as_str()).collect();
    assert_eq!((&told[..2_500], told[2_500]), (&payloads[..], "last"));
    let ends = [2_499, 2_500].map(|place| all[place].position);
    let ends = ends.map(|last_position| Outcome::Committed { last_position });
    assert_eq!(outcomes, ends);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_writers_on_two_connections_each_account_has_one_winner() {
    let url = server::database();
    let one = Arc::new(PostgresStore::open(config(&url)).await.unwrap());
    let two = Arc::new(PostgresStore::open(config(&url)).await.unwrap());
    const ACCOUNTS: usize = 40;
    for round in 0..6_u64 {
        // Each in its own order, with inbox keys that cross over.
        let batch = |writer: &str, backwards: bool| {
            let mut batch: Vec<Append> = (0..ACCOUNTS)
                .map(|number| Append {
                    inbox: vec![key("bank", &format!("{round}/{}", number / 2))],
                    ..append(&format!("shop/d{number}"), round, &[writer])
                })
                .collect();
            if backwards {
                batch.reverse();
            }
            // Half of the keys are told twice: the second of each pair has another key.
            for append in batch.iter_mut().skip(1).step_by(2) {
                append.inbox = vec![key(writer, &format!("{round}/{}", append.account))];
            }
            batch
        };
        let (first, second) = (batch("one", false), batch("two", true));
        let own = Arc::clone(&one);
        let own = tokio::spawn(async move { own.commit(first).await.unwrap() });
        let other = Arc::clone(&two);
        let other = tokio::spawn(async move { other.commit(second).await.unwrap() });
        let (own, mut other) = (own.await.unwrap(), other.await.unwrap());
        other.reverse();
        for (number, pair) in own.iter().zip(&other).enumerate() {
            let won = [pair.0, pair.1]
                .iter()
                .filter(|outcome| matches!(outcome, Outcome::Committed { .. }))
                .count();
            assert!(won <= 1, "round {round}, account {number}: {pair:?}");
        }
        // Who lost by an inbox key tries again without it, so that all are at the next version.
        let heads = accounts(ACCOUNTS);
        let versions = one.heads(heads.clone()).await.unwrap();
        let behind = heads
            .into_iter()
            .zip(versions)
            .filter(|(_, head)| head.as_ref().map_or(0, |head| head.version) == round);
        let again: Vec<Append> =
            behind.map(|(account, _)| append(&account.to_string(), round, &["again"])).collect();
        commit(&*two, again).await;
    }
    for head in one.heads(accounts(ACCOUNTS)).await.unwrap() {
        assert_eq!(head.unwrap().version, 6);
    }
    assert_eq!(one.check().await.unwrap(), Vec::<String>::new());
}

fn accounts(count: usize) -> Vec<AccountId> {
    (0..count).map(|number| format!("shop/d{number}").parse().unwrap()).collect()
}

#[tokio::test]
async fn a_batch_waits_for_one_that_has_its_account_and_then_learns_that_it_lost() {
    let url = server::database();
    let store = Arc::new(PostgresStore::open(config(&url)).await.unwrap());
    commit(&*store, vec![append("shop/d1", 0, &["1"])]).await;
    let other = client(&url).await;
    other
        .batch_execute("BEGIN; UPDATE accounts SET version = 2 WHERE debtor = 'd1'")
        .await
        .unwrap();
    let own = Arc::clone(&store);
    let batch = vec![append("shop/d0", 0, &["1"]), append("shop/d1", 1, &["2"])];
    let waiting = tokio::spawn(async move { own.commit(batch).await.unwrap() });
    // Until the server says that it waits.
    while self::waiting(&other).await == 0 {
        tokio::task::yield_now().await;
    }
    other.batch_execute("COMMIT").await.unwrap();
    let outcomes = waiting.await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Committed { .. }), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_take_no_message_both() {
    let url = server::database();
    let one = PostgresStore::open(config(&url)).await.unwrap();
    let two = PostgresStore::open(config(&url)).await.unwrap();
    let at = crate::contract::rows::at(0);
    let rows: Vec<OutboxRow> = (0..200)
        .map(|n| crate::contract::rows::message(&format!("shop/d{n}"), &format!("N-{n}"), at))
        .collect();
    commit(&one, messages(&rows)).await;
    let take = async |store: &PostgresStore| {
        let mut taken = Vec::new();
        loop {
            let more = store
                .take_outbox(queue("shop"), at, 7, crate::contract::rows::by("one"))
                .await
                .unwrap();
            if more.is_empty() {
                return taken;
            }
            taken.extend(more.into_iter().map(|row| row.notice));
        }
    };
    let (mut all, others) = tokio::join!(take(&one), take(&two));
    all.extend(others);
    assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (200, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_and_who_renews_leases_wait_for_each_other_in_one_order() {
    use crate::contract::rows::{by, notice_id};
    // What another one has locked, and the order in which the messages were put.
    for (locked, put) in [("N-1", ["N-1", "N-2", "N-3"]), ("N-3", ["N-2", "N-3", "N-1"])] {
        let url = server::database();
        let store = Arc::new(PostgresStore::open(config(&url)).await.unwrap());
        let rows = put.map(|id| message(&format!("shop/{id}"), id, at(0)));
        commit(&*store, messages(&rows)).await;
        let taken = store.take_outbox(queue("shop"), at(0), 9, by("one")).await.unwrap();
        assert_eq!(taken.len(), 3);
        let (other, third) = (client(&url).await, client(&url).await);
        let lock = format!("BEGIN; SELECT FROM outbox WHERE notice = '{locked}' FOR UPDATE");
        other.batch_execute(&lock).await.unwrap();
        let wait = async |waiting| {
            while self::waiting(&third).await < waiting {
                tokio::task::yield_now().await;
            }
        };
        let own = Arc::clone(&store);
        let notices = put.map(notice_id).to_vec();
        let renewal = tokio::spawn(async move { own.renew_lease(notices, by("one")).await });
        wait(1).await;
        // Goes on with an attempt at one message, and moves another.
        let (notice, holder) = (notice_id("N-2"), Some(by("one").holder));
        let held = vec![crate::Held { notice, holder, attempt: 1 }];
        let outbox = vec![OutboxChange::Move {
            notice: notice_id("N-1"),
            state: OutboxState::Sent,
            next_at: at(1),
            changed_at: at(1),
            detail: None,
        }];
        let batch = vec![
            Append { held, ..append("shop/N-2", 1, &["2"]) },
            Append { outbox, ..append("shop/N-1", 1, &["2"]) },
        ];
        let own = Arc::clone(&store);
        let batch = tokio::spawn(async move { own.commit(batch).await });
        wait(2).await;
        other.batch_execute("COMMIT").await.unwrap();
        assert!(renewal.await.unwrap().unwrap().iter().all(|ours| *ours));
        for outcome in batch.await.unwrap().unwrap() {
            assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
        }
        drop((store, third));
        alone(&other).await;
        let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(other.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    }
}

/// Waits until all other connections have ended: only then is what they did counted for sure.
async fn alone(own: &Client) {
    let others = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'";
    while own.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::task::yield_now().await;
    }
}

/// What each table was read as a whole.
async fn whole_reads(own: &Client) -> Vec<(String, i64)> {
    alone(own).await;
    let counted = "SELECT relname::text, seq_scan FROM pg_stat_user_tables
        WHERE schemaname = 'kulanz' AND relname <> 'schema_version' ORDER BY relname";
    let rows = own.query(counted, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn statements_that_name_their_rows_follow_indexes_from_the_first_row_on() {
    use crate::contract::rows::{at, book, by, item, secret};
    // As many as make the planner prefer to read all, left to itself.
    const MANY: usize = 1_000;
    let url = server::database();
    let own = client(&url).await;
    drop(PostgresStore::open(config(&url)).await.unwrap());
    let before = whole_reads(&own).await;
    let store = PostgresStore::open(config(&url)).await.unwrap();
    let one: AccountId = "shop/d1".parse().unwrap();
    for version in 0..3 {
        let new = |number| Append {
            snapshot: Some(vec![1]),
            inbox: vec![key("bank", &format!("{number}/{version}"))],
            wake: Wake::At(at(number)),
            secrets: vec![secret("debtor", "1", b"x")],
            views: Some(Views {
                books: vec![book(kulanz_domain::money::Currency::EUR, 1)],
                work: vec![item("release", "P-1", at(0))],
                ..Views::default()
            }),
            ..append(&format!("shop/d{number}"), version, &["1"])
        };
        commit(&store, (0..MANY as i64).map(new).collect()).await;
        store.heads(accounts(MANY)).await.unwrap();
        let keys = (0..MANY).map(|number| key("bank", &format!("{number}/1"))).collect();
        store.recorded(keys).await.unwrap();
        store.events_after(version, 10).await.unwrap();
        store.stream(one.clone(), 0).await.unwrap();
        store.secrets(one.clone(), Vec::new()).await.unwrap();
        store.claims(one.clone()).await.unwrap();
        store.due(at(9), Share::ALL, 10).await.unwrap();
        store.next_wake(Partitions::ALL).await.unwrap();
        let some: Partitions = [1, 7].into_iter().collect();
        store.due(at(9), Share { own: some, overdue: at(5) }, 10).await.unwrap();
        store.next_wake(some).await.unwrap();
        store.look(vec![key("bank", "1/1")], accounts(MANY)).await.unwrap();
        store.accounts(None, None, 10).await.unwrap();
        store.take_outbox(queue("shop"), at(9), 10, by("one")).await.unwrap();
        store.take_abandoned(10, by("one"), Vec::new()).await.unwrap();
        let notice = crate::contract::rows::notice_id("N-1");
        store.renew_lease(vec![notice], by("one")).await.unwrap();
    }
    drop(store);
    assert_eq!(whole_reads(&own).await, before);
}
