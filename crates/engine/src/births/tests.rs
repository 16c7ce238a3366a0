#![allow(clippy::unwrap_used)]
use std::{collections::HashMap, sync::Arc};

use jiff::civil::date;
use kulanz_domain::{
    calendar::Region,
    policy::{Creditor, Law, Rules},
};
use kulanz_store::{InboxKey, Store, sqlite::SqliteStore};
use tempfile::TempDir;

use super::*;
use crate::{
    Incoming, Mode, SharedRules, clock::Clock, plan::tests::profile, rebuild::rebuild, vault::Vault,
};

const NOW: &str = "2026-01-12T10:00:00Z";

fn engine(store: Arc<dyn Store>, creditors: &[&str]) -> Engine {
    let rules = creditors.iter().map(|id| {
        let creditor = Creditor {
            id: id.parse().unwrap(),
            zone: TimeZone::UTC,
            region: Region::None,
            law: Law::De,
            channels: Vec::new(),
            agencies: Vec::new(),
            complete_for_placement: true,
            base_rates: kulanz_domain::law::rates::RateTable::Germany.shipped().unwrap().into(),
        };
        (creditor.id.clone(), Arc::new(Rules { creditor, policies: Default::default() }))
    });
    let rules = SharedRules::new(rules.collect::<HashMap<_, _>>());
    let clock = Clock::standing(NOW.parse().unwrap());
    Engine::start(store, Arc::new(Vault::new([7; 32])), clock, rules, Mode::Serving)
}

/// As an earlier release recorded it: of the day of birth nothing is beside the seal.
fn recorded(account: &str, born_on: Option<&str>, day: i8) -> Incoming {
    let mut person = serde_json::json!({ "name": "Mara Beispiel" });
    if let Some(born_on) = born_on {
        person["birth_date"] = born_on.into();
    }
    let id = format!("{account}-{day}");
    Incoming {
        key: InboxKey { source: "/test".to_owned(), id: id.clone() },
        account: account.parse().unwrap(),
        stamp: Stamp { at: date(2026, 1, day).in_tz("UTC").unwrap().timestamp(), id },
        fact: profile(),
        secrets: vec![("debtor".to_owned(), person.to_string().into_bytes())],
        recorded_at: None,
        trace: None,
    }
}

async fn minor_until(engine: &Engine, account: &str) -> Option<Date> {
    let loaded = engine.load(&account.parse().unwrap()).await.unwrap().unwrap();
    loaded.account.profile().unwrap().minor_until
}

fn store(folder: &TempDir) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(folder.path()).unwrap())
}

#[tokio::test]
async fn accounts_of_minors_learn_it_from_what_an_earlier_release_sealed() {
    let folder = TempDir::new().unwrap();
    let engine = engine(store(&folder), &["shop"]);
    let told = [
        recorded("shop/D-1", Some("2009-05-14"), 2),
        recorded("shop/D-2", Some("1988-02-29"), 2),
        recorded("shop/D-3", None, 2),
        // Came of age, and may owe what was bought before.
        recorded("shop/D-4", Some("2005-01-01"), 2),
    ];
    engine.record(told.to_vec()).await.unwrap();
    assert_eq!(minor_until(&engine, "shop/D-1").await, None);
    assert_eq!(engine.read_births().await.unwrap(), 2);
    assert_eq!(minor_until(&engine, "shop/D-1").await, Some(date(2027, 6, 1)));
    assert_eq!(minor_until(&engine, "shop/D-2").await, None);
    assert_eq!(minor_until(&engine, "shop/D-4").await, Some(date(2023, 1, 1)));
    // Once, until the read side is rebuilt; what is known then is not told again.
    engine.record(vec![recorded("shop/D-5", Some("2009-05-14"), 3)]).await.unwrap();
    assert_eq!(engine.read_births().await.unwrap(), 0);
    let rebuilt = rebuild(&**engine.store(), |_| {}).await.unwrap();
    assert_eq!(rebuilt.wrong_snapshots, []);
    assert_eq!(engine.read_births().await.unwrap(), 1);
    assert_eq!(minor_until(&engine, "shop/D-5").await, Some(date(2027, 6, 1)));
}

#[tokio::test]
async fn it_goes_on_where_it_stopped_and_the_latest_word_wins() {
    let folder = TempDir::new().unwrap();
    let engine = engine(store(&folder), &["shop"]);
    let told = [
        recorded("shop/D-1", Some("2009-05-14"), 2),
        recorded("shop/D-2", Some("2009-05-14"), 2),
        recorded("shop/D-2", Some("2010-05-14"), 3),
    ];
    engine.record(told.to_vec()).await.unwrap();
    engine.store().put_meta(READ.to_owned(), Some("shop/D-1".to_owned())).await.unwrap();
    assert_eq!(engine.read_births().await.unwrap(), 1);
    assert_eq!(minor_until(&engine, "shop/D-1").await, None);
    assert_eq!(minor_until(&engine, "shop/D-2").await, Some(date(2028, 6, 1)));
}

#[tokio::test]
async fn accounts_of_a_creditor_without_a_file_are_looked_at_once_there_is_one() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let both = engine(Arc::clone(&store), &["shop", "other"]);
    let told = ["other/D-1", "shop/D-1"].map(|id| recorded(id, Some("2009-05-14"), 2));
    both.record(told.to_vec()).await.unwrap();
    let one = engine(Arc::clone(&store), &["shop"]);
    assert_eq!(one.read_births().await.unwrap(), 1);
    let both = engine(store, &["shop", "other"]);
    assert_eq!(minor_until(&both, "other/D-1").await, None);
    assert_eq!(both.read_births().await.unwrap(), 1);
    assert_eq!(minor_until(&both, "other/D-1").await, Some(date(2027, 6, 1)));
    assert_eq!(both.read_births().await.unwrap(), 0);
}

#[tokio::test]
async fn an_account_that_cannot_be_read_holds_up_no_other() {
    let folder = TempDir::new().unwrap();
    let engine = engine(store(&folder), &["shop"]);
    let mut told = ["shop/D-1", "shop/D-2"].map(|id| recorded(id, Some("2009-05-14"), 2));
    told[0].secrets[0].1.truncate(10);
    engine.record(told.to_vec()).await.unwrap();
    assert_eq!(engine.read_births().await.unwrap(), 1);
    assert_eq!(minor_until(&engine, "shop/D-2").await, Some(date(2027, 6, 1)));
    assert_eq!(engine.read_births().await.unwrap(), 0);
}
