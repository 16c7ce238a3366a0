//! What is looked at before anything is written: user, rights, schema, who else is there.

use super::*;
use crate::contract::rows::{append, by, commit, queue};

async fn why(url: &str) -> String {
    match PostgresStore::open(config(url)).await {
        Ok(_) => panic!("it opened"),
        Err(StoreError::Unusable(why)) => why,
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_event_can_be_neither_changed_nor_deleted_by_whoever_writes_it() {
    let url = server::database();
    let store = PostgresStore::open(config(&url)).await.unwrap();
    commit(&store, vec![append("shop/d1", 0, &["{}"])]).await;
    let own = client(&url).await;
    let part: String =
        own.query_one("SELECT tableoid::regclass::text FROM events", &[]).await.unwrap().get(0);
    for table in ["events", &part] {
        for sql in [
            format!("UPDATE {table} SET payload = '[]'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
        ] {
            // The right is missing; where somebody grants it, the trigger refuses.
            let said = refused(&own, &sql).await;
            assert!(said.contains("permission denied"), "{sql}: {said}");
        }
    }
    own.batch_execute(&format!("GRANT ALL ON events, {part} TO CURRENT_USER")).await.unwrap();
    for table in ["events", &part] {
        for sql in [
            format!("UPDATE {table} SET payload = '[]'"),
            format!("DELETE FROM {table} WHERE false"),
            format!("TRUNCATE {table}"),
        ] {
            let said = refused(&own, &sql).await;
            assert!(said.contains("events are neither changed nor deleted"), "{sql}: {said}");
        }
    }
    assert_eq!(store.events_after(0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn each_table_view_and_column_is_commented() {
    let url = server::database();
    let _store = PostgresStore::open(config(&url)).await.unwrap();
    let uncommented = client(&url)
        .await
        .query_one(
            "SELECT string_agg(relname || coalesce('.' || attname, ''), ' '), count(*)
             FROM pg_class LEFT JOIN pg_attribute
             ON attrelid = pg_class.oid AND attnum > 0 AND NOT relispartition AND relkind <> 'S'
             WHERE relnamespace IN ('kulanz'::regnamespace, 'kulanz_bi'::regnamespace)
             AND (relkind IN ('r', 'p', 'v') OR relname = 'event_blocks')
             AND (obj_description(pg_class.oid, 'pg_class') IS NULL OR attnum IS NOT NULL
                  AND col_description(pg_class.oid, attnum) IS NULL)",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(uncommented.get::<_, Option<String>>(0), None);
}

#[tokio::test]
async fn who_reports_sees_claims_accounts_and_notices_by_their_names() {
    use crate::contract::rows::{at, book, claim, notice, with_views};
    let server = server::Server::own();
    let url = server.database();
    let store = PostgresStore::open(config(&url)).await.unwrap();
    let views = Views {
        books: vec![book(kulanz_domain::money::Currency::EUR, 900)],
        claims: vec![claim("R-1", 780)],
        notices: vec![notice("N-1", at(0))],
        work: Vec::new(),
        ..Views::default()
    };
    commit(&store, vec![with_views("shop/d1", views), append("shop/d2", 0, &["{}"])]).await;
    // As docs/reporting.md says.
    let admin = client(&server.ask("admin")).await;
    admin.batch_execute("CREATE ROLE reporting LOGIN PASSWORD 'p'").await.unwrap();
    client(&url)
        .await
        .batch_execute(
            "GRANT USAGE ON SCHEMA kulanz_bi TO reporting;
             GRANT SELECT ON ALL TABLES IN SCHEMA kulanz_bi TO reporting",
        )
        .await
        .unwrap();
    let (_, place) = url.rsplit_once('@').unwrap();
    let reports = client(&format!("postgres://reporting:p@{place}")).await;
    for table in ["secrets", "keys", "tokens", "events", "accounts"] {
        let said = refused(&reports, &format!("SELECT * FROM kulanz.{table}")).await;
        assert!(said.contains("permission denied"), "{table}: {said}");
    }
    let told = async |sql: &str| -> String {
        let rows = reports.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("; ")
    };
    let accounts = "SELECT concat_ws(' ', creditor, debtor, currency, principal, outstanding)
        FROM kulanz_bi.accounts ORDER BY debtor";
    assert_eq!(told(accounts).await, "shop d1 EUR 900 780; shop d2");
    let claims = "SELECT concat_ws(' ', debtor, invoice, due_on, outstanding, step, state)
        FROM kulanz_bi.claims";
    assert_eq!(told(claims).await, "d1 R-1 2026-03-14 780 reminder open");
    let notices = "SELECT concat_ws(' ', debtor, notice, step, persona, channel, state,
        decided_at AT TIME ZONE 'UTC') FROM kulanz_bi.notices";
    assert_eq!(told(notices).await, "d1 N-1 reminder forgetful sms sent 2026-03-20 08:00:00");

    let page = include_str!("../../../../../docs/reporting.md");
    let (_, examples) = page.split_once("## Examples").unwrap();
    let examples: Vec<&str> = examples.split("```sql").skip(1).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let (sql, _) = example.split_once("```").unwrap();
        assert!(!reports.query(sql, &[]).await.unwrap().is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn data_of_a_newer_release_are_refused_and_not_touched() {
    let url = server::database();
    drop(PostgresStore::open(config(&url)).await.unwrap());
    let own = client(&url).await;
    own.batch_execute("INSERT INTO schema_version VALUES (99)").await.unwrap();
    for refused in [
        PostgresStore::open(config(&url)).await,
        PostgresStore::open_alone(config(&url)).await,
        PostgresStore::open_read_only(config(&url)).await,
    ] {
        assert!(matches!(refused, Err(StoreError::Newer { found: 99, .. })));
    }
    own.batch_execute("DELETE FROM schema_version").await.unwrap();
    let older = PostgresStore::open_read_only(config(&url)).await;
    assert!(matches!(older, Err(StoreError::Unusable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_that_start_at_once_one_makes_the_schema() {
    let url = server::database();
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let config = config(&url);
            tokio::spawn(async move { PostgresStore::open(config).await.map(drop) })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    let applied = client(&url).await.query("SELECT version FROM schema_version", &[]).await;
    assert_eq!(applied.unwrap().len(), schema::known() as usize);
}

#[tokio::test]
async fn a_wrong_password_database_or_right_is_told_with_what_helps() {
    let url = server::database();
    let (before, host) = url.rsplit_once('@').unwrap();
    let (user, _) = before.rsplit_once(':').unwrap();
    let wrong = why(&format!("{user}:falsch@{host}")).await;
    assert!(wrong.contains("check user and password") && !wrong.contains("falsch"), "{wrong}");
    let missing = why(&format!("{url}_missing")).await;
    assert!(missing.contains("CREATE DATABASE"), "{missing}");

    let own = client(&url).await;
    let name: String = own.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    own.batch_execute(&format!("REVOKE CREATE ON DATABASE {name} FROM CURRENT_USER"))
        .await
        .unwrap();
    let told = why(&url).await;
    assert!(told.contains(&format!("GRANT CREATE ON DATABASE {name} TO")), "{told}");
    own.batch_execute(&format!("GRANT CREATE ON DATABASE {name} TO CURRENT_USER")).await.unwrap();
    drop(PostgresStore::open(config(&url)).await.unwrap());
    own.batch_execute(
        "REVOKE DELETE ON work FROM CURRENT_USER; REVOKE INSERT ON events FROM CURRENT_USER",
    )
    .await
    .unwrap();
    let told = why(&url).await;
    let user = config(&url).user().to_owned();
    let grants =
        format!("GRANT INSERT ON kulanz.events TO {user}; GRANT DELETE ON kulanz.work TO {user}");
    assert!(told.ends_with(&grants), "{told}");
}

#[tokio::test]
async fn a_database_has_one_that_serves_it_and_others_read_beside() {
    let url = server::database();
    let nothing = PostgresStore::open_read_only(config(&url)).await;
    assert!(matches!(nothing, Err(StoreError::Unusable(_))));
    assert!(!PostgresStore::is_served(&config(&url)).await.unwrap());
    let store = PostgresStore::open_alone(config(&url)).await.unwrap();
    assert!(PostgresStore::is_served(&config(&url)).await.unwrap());
    assert!(!PostgresStore::is_served(&config(&server::database())).await.unwrap());
    let second = PostgresStore::open_alone(config(&url)).await;
    assert!(matches!(second, Err(StoreError::InUse)));
    let beside = PostgresStore::open_read_only(config(&url)).await.unwrap();
    commit(&store, vec![append("shop/d1", 0, &["{}"])]).await;
    assert_eq!(beside.events_after(0, 9).await.unwrap().len(), 1);
    let refused = beside.commit(vec![append("shop/d2", 0, &["{}"])]).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
    assert!(matches!(beside.put_meta("a".into(), None).await, Err(StoreError::ReadOnly)));
    let at = crate::contract::rows::at(0);
    assert!(matches!(
        beside.take_outbox(queue("shop"), at, 1, by("one")).await,
        Err(StoreError::ReadOnly)
    ));
    drop(store);
    let after = PostgresStore::open_alone(config(&url)).await.unwrap();
    assert_eq!(after.events_after(0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_asks_for_tls_gets_it_from_a_server_whose_certificate_it_trusts_alone() {
    let server = server::Server::own();
    let url = server.database();
    let own = format!("{url}?sslmode=verify-full&sslrootcert={}", server.ask("certificate"));
    for url in [own.clone(), own.replace("127.0.0.1", "localhost")] {
        let store = PostgresStore::open(config(&url)).await.unwrap();
        let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let told = store.pool.read(|| step!(encrypted)).await.unwrap();
        assert!(told[0].get::<_, bool>(0));
    }
    // The system's roots do not vouch for it, nor does its own certificate for another name.
    let untrusted = why(&format!("{url}?sslmode=require")).await;
    assert!(untrusted.contains("certificate"), "{untrusted}");
    let other = own.replace("127.0.0.1", "db.example.org");
    let misnamed = why(&format!("{other}&hostaddr=127.0.0.1")).await;
    assert!(misnamed.contains("certificate"), "{misnamed}");
}

#[tokio::test]
async fn a_replica_is_refused() {
    let server = server::Server::own();
    let url = server.database();
    drop(PostgresStore::open(config(&url)).await.unwrap());
    let certificate = std::path::PathBuf::from(server.ask("certificate"));
    server.ask("stop");
    std::fs::write(certificate.with_file_name("standby.signal"), "").unwrap();
    server.ask("start");
    assert!(why(&url).await.contains("name the primary server"));
    let read = PostgresStore::open_read_only(config(&url)).await;
    assert!(matches!(read, Err(StoreError::Unusable(why)) if why.contains("replica")));
}
