//! What the ninth migration does to data that are there.

use super::*;

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
