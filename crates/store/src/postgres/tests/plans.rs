//! Plans are made once, mostly while tables are small, and have to do when they are large.

use std::time::Duration;

use super::*;
use crate::{
    code::DUE_QUEUES,
    postgres::{
        pool::settings,
        read::{DUE, SECRETS_OF},
    },
};

/// A connection with the settings of those that the store makes.
async fn planner(url: &str) -> Client {
    let own = client(url).await;
    own.batch_execute(&settings(Duration::from_secs(60), false)).await.unwrap();
    own
}

/// The plan of a prepared statement.
async fn plan(own: &Client, execute: &str) -> Vec<String> {
    let plan = own.query(&format!("EXPLAIN EXECUTE {execute}"), &[]).await.unwrap();
    plan.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_made_while_no_message_waits_finds_the_first_of_many() {
    let url = server::database();
    drop(PostgresStore::open(config(&url)).await.unwrap());
    let own = planner(&url).await;
    // So many that one index has a root above its leaves and another one has not, in a table that
    // is known to be empty.
    for messages in [0, 100, 150, 200, 250, 300, 1000] {
        own.batch_execute(&format!(
            "TRUNCATE outbox; INSERT INTO outbox (notice, account, channel, state, attempts, next_at,
             decided_at, changed_at, of_creditor) SELECT 'N-' || gen_random_uuid(), 1, 'email',
             'queued', 0, now(), now(), now(), 'shop' FROM generate_series(1, {messages});
             DELETE FROM outbox; ANALYZE outbox; DEALLOCATE ALL;
             PREPARE queues(timestamptz) AS {DUE_QUEUES}"
        ))
        .await
        .unwrap();
        let plan = plan(&own, "queues(now())").await;
        let of_messages = plan.iter().filter(|line| line.contains(" on outbox"));
        let (mut looks, all) = (0, plan.join("\n"));
        for look in of_messages {
            assert!(look.contains("outbox_queue"), "{messages} messages:\n{all}");
            looks += 1;
        }
        assert_eq!(
            (looks, all.matches("->  Limit").count()),
            (2, 2),
            "{messages} messages:\n{all}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_account_with_many_secrets_those_that_are_asked_for_are_read() {
    let url = server::database();
    drop(PostgresStore::open(config(&url)).await.unwrap());
    let own = planner(&url).await;
    for secrets in [0, 1, 2, 3, 10, 300] {
        own.batch_execute(&format!(
            "TRUNCATE secrets, accounts; DEALLOCATE ALL;
             INSERT INTO accounts (creditor, debtor, partition, version)
             SELECT 'shop', 'K-' || i, 0, 1 FROM generate_series(1, 1000) AS i;
             INSERT INTO secrets (account, slot, stamp, sealed)
             SELECT number, 'invoice/' || i, '1', '' FROM accounts, generate_series(1, {secrets}) AS i;
             ANALYZE accounts; ANALYZE secrets;
             PREPARE secrets(bigint[], text[], text[], text[]) AS {SECRETS_OF}"
        ))
        .await
        .unwrap();
        let plan = plan(&own, "secrets('{1}', '{shop}', '{K-1}', '{debtor}')").await.join("\n");
        let both = plan.lines().any(|line| {
            line.contains("Index Cond") && line.contains("account =") && line.contains("slot =")
        });
        assert!(both, "{secrets} secrets an account:\n{plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_for_wake_ups_of_many_accounts_starts_no_processes() {
    let url = server::database();
    drop(PostgresStore::open(config(&url)).await.unwrap());
    let own = planner(&url).await;
    // Many wake at the same moment. The sizes stand for an index that is not fresh.
    own.batch_execute(&format!(
        "SET min_parallel_index_scan_size TO 0; SET min_parallel_table_scan_size TO 0;
         INSERT INTO accounts (creditor, debtor, partition, version, wake_at)
         SELECT 'shop', 'K-' || i, 0, 1, '2099-01-04 08:00Z' FROM generate_series(1, 200000) AS i;
         ANALYZE accounts; PREPARE due(timestamptz, bigint) AS {DUE}"
    ))
    .await
    .unwrap();
    let plan = plan(&own, "due(now(), 20000)").await.join("\n");
    assert!(plan.contains("Index Scan using accounts_wake") && !plan.contains("Gather"), "{plan}");
}
