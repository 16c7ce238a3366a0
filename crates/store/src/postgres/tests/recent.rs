//! Events that a process wrote itself are handed out from memory: the same as the database has,
//! and only while it is the same database.

use super::*;
use crate::contract::rows::{append, commit};

/// All pages of `limit` events, from the first one on.
async fn pages(store: &PostgresStore, limit: u32) -> Vec<StoredEvent> {
    let mut seen: Vec<StoredEvent> = Vec::new();
    loop {
        let after = seen.last().map_or(0, |event| event.position);
        let page = store.events_after(after, limit).await.unwrap();
        if page.is_empty() {
            return seen;
        }
        assert!(page.len() <= limit as usize);
        seen.extend(page);
    }
}

#[tokio::test]
async fn a_follower_gets_the_same_from_memory_as_from_the_database() {
    let url = server::database();
    let own = PostgresStore::open(config(&url)).await.unwrap();
    let other = PostgresStore::open(config(&url)).await.unwrap();
    assert_eq!(own.events_after(0, 1).await.unwrap(), []);
    let payloads: Vec<String> = (0..1_234).map(|number| number.to_string()).collect();
    let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
    let mut late = append("shop/d1", 2, &["nul \0 there"]);
    late.events[0].recorded_at = "2026-03-29T01:00:00.000001999Z".parse().unwrap();
    late.events[0].cause = "shop#\0".to_owned();
    let batches = [
        (&own, vec![append("shop/d1", 0, &["1", "2"]), late, append("shop/d1", 3, &["4"])]),
        (&own, vec![append("shop/many", 0, &payloads)]),
        (&other, vec![append("shop/other", 0, &["foreign"])]),
        (&own, vec![append("shop/d2", 0, &["5"]), append("shop/d1", 9, &["lost"])]),
        (&own, vec![append("shop/d2", 1, &[])]),
        (&other, vec![append("shop/other", 1, &["foreign"])]),
        (&own, vec![append("shop/d2", 1, &["6"])]),
    ];
    for (store, batch) in batches {
        store.commit(batch).await.unwrap();
        let fresh = PostgresStore::open(config(&url)).await.unwrap();
        let all = fresh.events_after(0, 9_999).await.unwrap();
        for limit in [1, 7, 1_000, 9_999] {
            assert_eq!(pages(&own, limit).await, all);
        }
        for event in &all {
            let (after, limit) = (event.position, 9_999);
            let rest: Vec<_> = all.iter().filter(|one| one.position > after).cloned().collect();
            let page = own.events_after(after, limit).await.unwrap();
            assert_eq!(page, rest[..page.len()]);
            assert!(!page.is_empty() || rest.is_empty());
        }
    }
}

#[tokio::test]
async fn after_a_restore_memory_is_not_asked() {
    let url = server::database();
    let store = PostgresStore::open(config(&url)).await.unwrap();
    assert_eq!(store.events_after(0, 1).await.unwrap(), []);
    commit(&store, vec![append("shop/d1", 0, &["1"])]).await;
    let first = store.events_after(0, 1).await.unwrap().remove(0);
    commit(&store, vec![append("shop/d1", 1, &["2"])]).await;
    let beside = client(&url).await;
    let change = "DO $$ DECLARE part text; BEGIN
        FOR part IN SELECT relid::regclass::text FROM pg_partition_tree('events') LOOP
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', part);
            EXECUTE format('GRANT UPDATE ON %s TO CURRENT_USER', part);
        END LOOP; END $$;
        UPDATE events SET payload = 'another database' WHERE version = 2";
    beside.batch_execute(change).await.unwrap();
    let payload = async || store.events_after(first.position, 9).await.unwrap().remove(0).payload;
    assert_eq!(payload().await, "2", "the database was asked for what is in memory");
    let made_again = "DO $$ DECLARE last bigint; BEGIN
        SELECT last_value INTO last FROM event_blocks;
        DROP SEQUENCE event_blocks; CREATE SEQUENCE event_blocks AS bigint;
        PERFORM setval('event_blocks', last); END $$";
    beside.batch_execute(made_again).await.unwrap();
    assert_eq!(payload().await, "another database");
}
