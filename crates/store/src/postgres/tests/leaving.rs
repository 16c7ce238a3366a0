//! A database's data move into a folder: all of them or none, and go on there and nowhere else.

use super::{
    transfer::{Folder, fill, rows_here, rows_there},
    *,
};
use crate::{
    OutboxChange,
    contract::rows::{account, append, at, commit, key, message},
    sqlite::SqliteStore,
    transfer::TABLES,
};

/// A database with something in each table, that went on for a while since it got that.
async fn filled(name: &str) -> String {
    let (folder, url) = (Folder::new(&format!("before-{name}")), server::database());
    fill(&folder.0).await;
    crate::transfer(&folder.0, config(&url), |_, _| {}).await.unwrap();
    let store = PostgresStore::open_shared(config(&url)).await.unwrap();
    commit(&store, vec![append("shop/d1", 2, &["new"]), append("shop/new", 0, &["new"])]).await;
    let outbox = vec![OutboxChange::Put(message("shop/new", "N-9", at(0)))];
    let inbox = vec![key("bank", "new")];
    commit(&store, vec![Append { outbox, inbox, ..append("shop/new", 1, &[]) }]).await;
    url
}

fn is_given_up<T>(opened: Result<T, StoreError>) {
    let told = opened.err().expect("nobody works on it").to_string();
    assert!(told.contains("its data were moved to /srv/kulanz.db: take `database`"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_comes_into_the_folder_and_the_database_is_given_up() {
    let (folder, url) = (Folder::new("left"), filled("left").await);
    let heard = std::sync::Mutex::new(Vec::new());
    let left = crate::leave(config(&url), &folder.0, |done, of| {
        heard.lock().unwrap().push((done, of));
    });
    let left = left.await.unwrap();
    assert_eq!((left.moved.accounts, left.moved.events), (4_103, 4_106));
    let heard = heard.into_inner().unwrap();
    assert_eq!(heard.first(), Some(&(0, left.moved.rows)));
    assert_eq!(heard.last(), Some(&(left.moved.rows, left.moved.rows)));
    let client = client(&url).await;
    for table in TABLES {
        let (there, here) = (rows_there(&client, table).await, rows_here(&folder.0, table).await);
        assert_eq!(there, here, "{}", table.name);
    }
    left.for_good("/srv/kulanz.db").await.unwrap();
    is_given_up(PostgresStore::open_shared(config(&url)).await);
    is_given_up(PostgresStore::open_alone(config(&url)).await);
    is_given_up(PostgresStore::open_read_only(config(&url)).await);
    let kept: i64 = client.query_one("SELECT count(*) FROM events", &[]).await.unwrap().get(0);
    assert_eq!(kept, 4_106, "nothing is deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_into_the_folder_goes_on_where_it_was() {
    let (folder, url) = (Folder::new("left-on"), filled("left-on").await);
    let there = PostgresStore::open_read_only(config(&url)).await.unwrap();
    let log = there.events_after(0, 9_999).await.unwrap();
    let letters = there.dead_letters(false, 9).await.unwrap();
    let d1 = || vec![account("shop/d1")];
    let head = there.heads(d1()).await.unwrap();
    crate::leave(config(&url), &folder.0, |_, _| {}).await.unwrap().for_good("/f").await.unwrap();
    let here = SqliteStore::open(&folder.0).unwrap();
    assert_eq!(here.events_after(0, 9_999).await.unwrap(), log);
    assert_eq!(here.heads(d1()).await.unwrap(), head);
    assert_eq!(here.meta("left_for".to_owned()).await.unwrap(), None);
    let twice = Append { inbox: vec![key("bank", "new")], ..append("shop/d1", 3, &["again"]) };
    let outcome = here.commit(vec![twice]).await.unwrap();
    assert_eq!(outcome, [Outcome::AlreadyRecorded(key("bank", "new"))]);
    let outbox = vec![OutboxChange::Put(message("shop/d1", "N-10", at(0)))];
    commit(&here, vec![Append { outbox, ..append("shop/d1", 3, &["next"]) }]).await;
    let after = log.last().unwrap().position;
    assert!(here.events_after(after, 9).await.unwrap()[0].position > after);
    let number = here.put_dead_letters(vec![letters[0].clone()]).await.unwrap()[0];
    assert!(letters.iter().all(|letter| letter.number < number));
    assert_eq!(here.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_where_others_work_or_the_data_are_wrong_or_not_there() {
    let url = server::database();
    let told = crate::leave(config(&url), &Folder::new("none").0, |_, _| {}).await.err().unwrap();
    assert!(told.to_string().contains("there are no data in it"), "{told}");
    let (folder, url) = (Folder::new("wrong"), filled("wrong").await);
    {
        let _served = PostgresStore::open_shared(config(&url)).await.unwrap();
        let told = crate::leave(config(&url), &folder.0, |_, _| {}).await.err().unwrap();
        assert!(matches!(told, StoreError::InUse), "{told}");
    }
    let client = client(&url).await;
    let damage = "UPDATE accounts SET version = 9 WHERE number = 1";
    assert_eq!(client.execute(damage, &[]).await.unwrap(), 1);
    let told = crate::leave(config(&url), &folder.0, |_, _| {}).await.err().unwrap();
    assert!(told.to_string().contains("the data in the database: "), "{told}");
    assert!(!folder.0.exists());
    PostgresStore::open_shared(config(&url)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_to_a_database_that_was_given_up_writes_nothing() {
    let (folder, url) = (Folder::new("back"), filled("back").await);
    let away = PostgresStore::open_shared(config(&url)).await.unwrap();
    // Cut off, as by a network that is down.
    let client = client(&url).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client.query(cut, &[]).await.unwrap();
    let left = crate::leave(config(&url), &folder.0, |_, _| {}).await.unwrap();
    left.for_good("/srv/kulanz.db").await.unwrap();
    is_given_up(away.commit(vec![append("shop/late", 0, &["late"])]).await);
    is_given_up(away.put_meta("a".to_owned(), Some("b".to_owned())).await);
    let kept: i64 = client.query_one("SELECT count(*) FROM events", &[]).await.unwrap().get(0);
    assert_eq!(kept, 4_106);
}
