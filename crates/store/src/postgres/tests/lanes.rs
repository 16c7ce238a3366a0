//! What the ninth migration does to data that are there, and how waiting messages are found.

use std::time::Duration;

use super::*;
use crate::{code::DUE_QUEUES, postgres::pool::settings};

const MIGRATION: &str = include_str!("../../../migrations/postgres/0009_lanes.sql");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_messages_said_that_were_never_sent_goes_with_the_ninth_migration() {
    let url = server::database();
    drop(PostgresStore::open(config(&url)).await.unwrap());
    let own = client(&url).await;
    own.batch_execute(
        "INSERT INTO outbox (notice, account, channel, state, attempts, next_at, decided_at,
         changed_at, detail, of_creditor)
         SELECT notice, 1, 'email', state, attempts, now(), now(), now(), detail, 'shop' FROM (VALUES
         ('N-paid', 'suppressed', 1, 'Paid'), ('N-braked', 'suppressed', 0, 'Braked'),
         ('N-tried', 'suppressed', 1, 'Braked'), ('N-sent', 'sent', 1, NULL),
         ('N-bounced', 'suppressed', 1, 'bounced: the gateway answered 410'),
         ('N-unknown', 'suppressed', 1, 'discarded by ada')) AS rows(notice, state, attempts, detail);
         INSERT INTO secrets (account, slot, stamp, sealed)
         SELECT whose.account, 'notice/' || notice, '1', '\\x00'::bytea
         FROM outbox, (VALUES (1), (2)) AS whose(account);",
    )
    .await
    .unwrap();
    let (_, deletes) = MIGRATION.split_once("DELETE FROM").unwrap();
    own.batch_execute(&format!("DELETE FROM{deletes}")).await.unwrap();
    let kept = "SELECT string_agg(slot, ' ' ORDER BY slot) FROM secrets GROUP BY account
         ORDER BY account";
    let kept = own.query(kept, &[]).await.unwrap();
    let kept: Vec<String> = kept.iter().map(|row| row.get(0)).collect();
    let (first, other) = (&kept[0], &kept[1]);
    assert_eq!(first, "notice/N-bounced notice/N-sent notice/N-tried notice/N-unknown");
    assert_eq!(other.split(' ').count(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_made_while_no_message_waits_finds_the_first_of_many() {
    let url = server::database();
    drop(PostgresStore::open(config(&url)).await.unwrap());
    let own = client(&url).await;
    own.batch_execute(&settings(Duration::from_secs(60), true)).await.unwrap();
    own.batch_execute("SET default_transaction_read_only TO off").await.unwrap();
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
        let plan = own.query("EXPLAIN EXECUTE queues(now())", &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
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
