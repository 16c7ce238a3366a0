//! A folder's data move into a database: all of them or none, and go on there.

use std::path::{Path, PathBuf};

use kulanz_domain::money::Currency;

use super::*;
use crate::{
    KeyChange, OutboxChange, Wake,
    contract::rows::{
        account, append, at, book, by, claim, commit, creditor, item, key, message, notice,
        paylink, secret,
    },
    sqlite::SqliteStore,
    transfer::{Cell, Kind, TABLES, Table},
};

/// A folder that goes with the test.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("kulanz-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Something in each table, and in each column at least once.
pub(super) async fn fill(folder: &Path) {
    let store = SqliteStore::open(folder).unwrap();
    let views = Views {
        books: vec![book(Currency::EUR, 8_990)],
        claims: vec![claim("R-1", 100), claim("R-2", 0)],
        notices: vec![notice("N-1", at(1))],
        work: vec![item("disputes", "R-1", at(2))],
        nothing_goes: false,
    };
    let full = Append {
        snapshot: Some(b"state".to_vec()),
        wake: Wake::At(at(77)),
        inbox: vec![key("bank", "1"), key("shop", "2")],
        key: KeyChange::Create(vec![7; 72]),
        secrets: vec![secret("debtor", "1", b"sealed"), secret("notice/N-1", "1", &[0, 255])],
        outbox: vec![
            OutboxChange::Put(OutboxRow {
                detail: Some("it \u{1f9fe} broke\twith a tab".to_owned()),
                traceparent: Some("00-1-2-01".to_owned()),
                ..message("shop/d1", "N-1", at(-9_000_000))
            }),
            OutboxChange::Put(message("shop/d1", "N-2", at(0))),
        ],
        paylinks: vec![paylink("shop/d1", 1)],
        views: Some(views),
        ..append("shop/d1", 0, &["{\"ä\":1}", "{}"])
    };
    let erased = Append { key: KeyChange::Create(vec![8; 72]), ..append("shop/d2", 0, &["{}"]) };
    commit(&store, vec![full, erased]).await;
    commit(&store, vec![Append { key: KeyChange::Destroy, ..append("shop/d2", 1, &["{}"]) }]).await;
    let many: Vec<Append> =
        (0..4_100).map(|number| append(&format!("shop/m{number}"), 0, &["{}"])).collect();
    commit(&store, many).await;
    let taken =
        store.take_outbox(crate::contract::rows::queue("shop"), at(0), 1, by("me")).await.unwrap();
    assert_eq!(taken.len(), 1);
    let letter = |account| DeadLetter {
        number: 0,
        received_at: at(3),
        origin: "http".to_owned(),
        reason: "unknown".to_owned(),
        detail: "/data: odd".to_owned(),
        sealed: vec![9],
        account,
        open: true,
    };
    let letters = vec![letter(None), letter(Some(account("shop/d1")))];
    let letters = store.put_dead_letters(letters).await.unwrap();
    assert!(store.close_dead_letter(letters[0]).await.unwrap());
    let token = |first, creditor| TokenRow {
        token_hash: [first; 32],
        person: "ada".to_owned(),
        role: "clerk".to_owned(),
        creditor,
        created_at: at(4),
    };
    store.put_token(token(1, None)).await.unwrap();
    store.put_token(token(2, Some(creditor("shop")))).await.unwrap();
    let policy = PolicyRow {
        name: "standard".to_owned(),
        version: 3,
        hash: "abc".to_owned(),
        sources: "{}".to_owned(),
        registered_at: at(5),
    };
    store.register_policy(policy).await.unwrap();
    let placement = PlacementRow {
        placement: "PL-1".parse().unwrap(),
        account: account("shop/d1"),
        agency: "nord".to_owned(),
        state: "released".to_owned(),
        changed_at: at(6),
    };
    store.put_placement(placement).await.unwrap();
    let checkout = CheckoutRow {
        checkout: "C-1".to_owned(),
        account: account("shop/d1"),
        provider: "bank".to_owned(),
        amount: 8_990,
        currency: Currency::EUR,
        state: "open".to_owned(),
        created_at: at(7),
        changed_at: at(8),
    };
    store.put_checkout(checkout).await.unwrap();
    store.put_meta("kafka/accounts/position".to_owned(), Some("2".to_owned())).await.unwrap();
    for (request, answer) in [([1; 32], Some(vec![4])), ([2; 32], None)] {
        let begun = RequestRow { request, fingerprint: [3; 32], begun_at: at(9), answer: None };
        assert_eq!(store.begin_request(begun, at(-9)).await.unwrap(), None);
        if answer.is_some() {
            store.end_request(request, answer).await.unwrap();
        }
    }
}

/// A row as text.
fn told(table: &Table, row: Vec<Cell>) -> Vec<Option<String>> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let cells = table.columns.iter().zip(row);
    cells
        .map(|((_, kind), cell)| match cell {
            Cell::Null => None,
            Cell::Number(number) => Some(number.to_string()),
            Cell::Text(text) => Some(text),
            Cell::Bytes(bytes) if *kind == Kind::Key && bytes.iter().all(|byte| *byte == 0) => {
                Some(String::new())
            }
            Cell::Bytes(bytes) => Some(hex(&bytes)),
        })
        .collect()
}

pub(super) async fn rows_here(folder: &Path, table: &'static Table) -> Vec<Vec<Option<String>>> {
    let store = SqliteStore::open_read_only(folder).unwrap();
    let (sender, mut chunks) = tokio::sync::mpsc::channel(9);
    store.rows_of(table, sender).await.unwrap();
    let mut rows = Vec::new();
    while let Some(chunk) = chunks.recv().await {
        rows.extend(chunk.into_iter().map(|row| told(table, row)));
    }
    rows.sort();
    rows
}

pub(super) async fn rows_there(client: &Client, table: &Table) -> Vec<Vec<Option<String>>> {
    let text = |(name, kind): &(&str, Kind)| match kind {
        Kind::Moment => format!("(extract(epoch FROM {name}) * 1000000)::bigint::text"),
        Kind::Day => format!("to_char({name}, 'YYYYMMDD')"),
        Kind::Bytes | Kind::Key => format!("encode({name}, 'hex')"),
        Kind::Flag => format!("{name}::int::text"),
        Kind::Number | Kind::Small | Kind::Text => format!("{name}::text"),
    };
    let columns: Vec<String> = table.columns.iter().map(text).collect();
    let all = format!("SELECT {} FROM {}", columns.join(", "), table.name);
    let rows = client.query(&all, &[]).await.unwrap();
    let columns = 0..table.columns.len();
    let mut rows: Vec<Vec<Option<String>>> =
        rows.iter().map(|row| columns.clone().map(|at| row.get(at)).collect()).collect();
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_every_table_comes_over_as_it_was() {
    let (folder, url) = (Folder::new("moved"), server::database());
    fill(&folder.0).await;
    let heard = std::sync::Mutex::new(Vec::new());
    let moved = crate::transfer(&folder.0, config(&url), |done, of| {
        heard.lock().unwrap().push((done, of));
    });
    let moved = moved.await.unwrap();
    assert_eq!((moved.accounts, moved.events), (4_102, 4_104));
    let heard = heard.into_inner().unwrap();
    assert_eq!(heard.first(), Some(&(0, moved.rows)));
    assert_eq!(heard.last(), Some(&(moved.rows, moved.rows)));
    let client = client(&url).await;
    let mut all = 0;
    for table in TABLES {
        let (here, there) = (rows_here(&folder.0, table).await, rows_there(&client, table).await);
        assert_eq!(here, there, "{}", table.name);
        for (at, (name, _)) in table.columns.iter().enumerate() {
            // Who held a message is nobody's here any more once the folder is opened.
            let known = *name == "leased_until" || here.iter().any(|row| row[at].is_some());
            assert!(known, "the test has nothing in {}.{name}", table.name);
        }
        all += here.len() as u64;
    }
    assert_eq!(moved.rows, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_moved_goes_on_where_it_was() {
    let (folder, url) = (Folder::new("goes-on"), server::database());
    fill(&folder.0).await;
    crate::transfer(&folder.0, config(&url), |_, _| {}).await.unwrap();
    let (here, there) = (
        SqliteStore::open_read_only(&folder.0).unwrap(),
        PostgresStore::open_shared(config(&url)).await.unwrap(),
    );
    let log = here.events_after(0, 9_999).await.unwrap();
    assert_eq!(there.events_after(0, 9_999).await.unwrap(), log);
    let d1 = || vec![account("shop/d1")];
    assert_eq!(there.heads(d1()).await.unwrap(), here.heads(d1()).await.unwrap());
    assert!(there.recorded(vec![key("shop", "2")]).await.unwrap()[0]);
    commit(&there, vec![append("shop/d1", 2, &["new"]), append("shop/new", 0, &["new"])]).await;
    let after = log.last().unwrap().position;
    let new = there.events_after(after, 9).await.unwrap();
    assert_eq!(new.len(), 2);
    assert!(new[0].position > after);
    let twice = Append { inbox: vec![key("bank", "1")], ..append("shop/new", 1, &["again"]) };
    let outcome = there.commit(vec![twice]).await.unwrap();
    assert_eq!(outcome, [Outcome::AlreadyRecorded(key("bank", "1"))]);
    let outbox = vec![OutboxChange::Put(message("shop/new", "N-9", at(0)))];
    commit(&there, vec![Append { outbox, ..append("shop/new", 1, &[]) }]).await;
    let letter = there.dead_letters(false, 9).await.unwrap().remove(0);
    let known = here.dead_letters(false, 9).await.unwrap();
    let number = there.put_dead_letters(vec![letter]).await.unwrap()[0];
    assert!(known.iter().all(|letter| letter.number < number));
    assert_eq!(there.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_moved_to_where_data_are() {
    let (folder, url) = (Folder::new("not-empty"), server::database());
    fill(&folder.0).await;
    let there = PostgresStore::open(config(&url)).await.unwrap();
    there.put_meta("a".to_owned(), Some("b".to_owned())).await.unwrap();
    let told = crate::transfer(&folder.0, config(&url), |_, _| {}).await.unwrap_err();
    assert!(told.to_string().contains("there are data in"), "{told}");
    assert_eq!(there.position().await.unwrap(), 0);
    there.put_meta("a".to_owned(), None).await.unwrap();
    crate::transfer(&folder.0, config(&url), |_, _| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stays_of_a_move_that_fails() {
    let (folder, url) = (Folder::new("damaged"), server::database());
    fill(&folder.0).await;
    let file = || rusqlite::Connection::open(folder.0.join("kulanz.db")).unwrap();
    let damages = [
        (
            "UPDATE claims SET due_on = 20261399 WHERE invoice = 'R-2'",
            "column due_on holds 20261399",
        ),
        ("UPDATE accounts SET version = 9 WHERE number = 1", "the embedded data: "),
    ];
    for (damage, word) in damages {
        file().execute(damage, []).unwrap();
        let told = crate::transfer(&folder.0, config(&url), |_, _| {}).await.unwrap_err();
        assert!(told.to_string().contains(word), "{told}");
        let there = PostgresStore::open(config(&url)).await.unwrap();
        assert_eq!(there.position().await.unwrap(), 0);
        assert_eq!(there.accounts(None, None, 9).await.unwrap(), []);
    }
    let _served = SqliteStore::open(&folder.0).unwrap();
    let told = crate::transfer(&folder.0, config(&url), |_, _| {}).await.unwrap_err();
    assert!(matches!(told, StoreError::InUse), "{told}");
}

#[tokio::test]
async fn each_table_and_column_of_both_is_named() {
    let (folder, url) = (Folder::new("named"), server::database());
    drop(SqliteStore::open(&folder.0).unwrap());
    let _there = PostgresStore::open(config(&url)).await.unwrap();
    let mut named: Vec<(String, String)> = TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|(column, _)| (table.name, *column)))
        .map(|(table, column)| (table.to_owned(), column.to_owned()))
        .collect();
    named.sort();
    let file = rusqlite::Connection::open(folder.0.join("kulanz.db")).unwrap();
    let columns = "SELECT tables.name, columns.name FROM sqlite_master AS tables,
        pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table' AND tables.name <> 'sqlite_sequence' ORDER BY 1, 2";
    let mut columns = file.prepare(columns).unwrap();
    let here = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(here.collect::<Result<Vec<(String, String)>, _>>().unwrap(), named);
    // Leases here last no longer than the process that has them.
    let columns = "SELECT table_name::text, column_name::text FROM information_schema.columns
        JOIN pg_class ON relname = table_name AND relnamespace = 'kulanz'::regnamespace
        WHERE table_schema = 'kulanz' AND NOT relispartition
        AND table_name NOT IN ('leases', 'schema_version') ORDER BY 1, 2";
    let there = client(&url).await.query(columns, &[]).await.unwrap();
    let mut there: Vec<(String, String)> =
        there.iter().map(|row| (row.get(0), row.get(1))).collect();
    there.sort();
    assert_eq!(there, named);
}
