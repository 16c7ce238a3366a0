//! Who may work on the data besides whom.

use super::*;
use crate::contract::rows::{append, commit};

const END_ALL: &str = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_work_together_and_whoever_needs_the_data_alone_waits_until_they_have_left() {
    let url = server::database();
    let starts: Vec<_> = (0..3)
        .map(|_| {
            let config = config(&url);
            tokio::spawn(async move { PostgresStore::open_shared(config).await })
        })
        .collect();
    let mut stores = Vec::new();
    for start in starts {
        stores.push(start.await.unwrap().unwrap());
    }
    assert!(PostgresStore::is_served(&config(&url)).await.unwrap());
    for (number, store) in stores.iter().enumerate() {
        assert!(store.is_shared());
        commit(store, vec![append(&format!("shop/d{number}"), 0, &["1"])]).await;
    }
    for _ in 0..2 {
        let refused = PostgresStore::open_alone(config(&url)).await;
        assert!(matches!(refused, Err(StoreError::InUse)));
        stores.pop();
    }
    drop(stores);
    let alone = PostgresStore::open_alone(config(&url)).await.unwrap();
    assert!(!alone.is_shared());
    let refused = PostgresStore::open_shared(config(&url)).await;
    assert!(matches!(refused, Err(StoreError::InUse)));
    drop(alone);
    let store = PostgresStore::open_shared(config(&url)).await.unwrap();
    assert_eq!(store.events_after(0, 9).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_lost_lock_is_taken_again_unless_somebody_has_the_data_alone_by_now() {
    let url = server::database();
    let store = PostgresStore::open_shared(config(&url)).await.unwrap();
    let own = client(&url).await;
    own.query(END_ALL, &[]).await.unwrap();
    commit(&store, vec![append("shop/d1", 0, &["1"])]).await;
    own.query(END_ALL, &[]).await.unwrap();
    let alone = PostgresStore::open_alone(config(&url)).await.unwrap();
    let refused = store.commit(vec![append("shop/d1", 1, &["2"])]).await;
    assert!(matches!(refused, Err(StoreError::InUse)), "{refused:?}");
    drop(alone);
    commit(&store, vec![append("shop/d1", 1, &["2"])]).await;
}

#[tokio::test]
async fn tables_are_changed_only_while_nobody_of_an_older_release_works_on_them() {
    let url = server::database();
    let older = PostgresStore::open_shared(config(&url)).await.unwrap();
    let own = client(&url).await;
    // As if this release knew a migration more than that one.
    let last =
        "DELETE FROM schema_version WHERE version = (SELECT max(version) FROM schema_version)";
    own.batch_execute(last).await.unwrap();
    match PostgresStore::open_shared(config(&url)).await {
        Err(StoreError::Unusable(why)) => assert!(why.contains("stop them all"), "{why}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it opened"),
    }
    let known = format!("INSERT INTO schema_version VALUES ({})", schema::known());
    own.batch_execute(&known).await.unwrap();
    let beside = PostgresStore::open_shared(config(&url)).await.unwrap();
    commit(&beside, vec![append("shop/d1", 0, &["1"])]).await;
    commit(&older, vec![append("shop/d1", 1, &["2"])]).await;
}

#[tokio::test]
async fn who_was_away_while_a_newer_release_changed_the_tables_writes_nothing_more() {
    let url = server::database();
    let store = PostgresStore::open_shared(config(&url)).await.unwrap();
    let own = client(&url).await;
    own.query(END_ALL, &[]).await.unwrap();
    own.batch_execute("INSERT INTO schema_version VALUES (99)").await.unwrap();
    let refused = store.commit(vec![append("shop/d1", 0, &["1"])]).await;
    assert!(matches!(refused, Err(StoreError::Newer { found: 99, .. })), "{refused:?}");
}
