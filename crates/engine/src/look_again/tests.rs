#![allow(clippy::unwrap_used)]
use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use kulanz_domain::{
    calendar::Region,
    fact::{Fact, Stamp},
    ids::AccountId,
    policy::{Creditor, Law, Rules},
};
use kulanz_store::{InboxKey, Store, sqlite::SqliteStore};
use tempfile::TempDir;

use crate::{Engine, Incoming, Mode, SharedRules, clock::Clock, vault::Vault};

const NOW: &str = "2026-01-12T10:00:00Z";

fn engine(folder: &TempDir) -> Engine {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let creditor = Creditor {
        id: "shop".parse().unwrap(),
        zone: jiff::tz::TimeZone::UTC,
        region: Region::None,
        law: Law::None,
        channels: Vec::new(),
        agencies: Vec::new(),
        complete_for_placement: true,
        base_rates: kulanz_domain::law::rates::RateTable::Germany.shipped().unwrap().into(),
    };
    let id = creditor.id.clone();
    let rules = Rules { creditor, policies: Default::default() };
    let rules = SharedRules::new(HashMap::from([(id, Arc::new(rules))]));
    let clock = Clock::standing(NOW.parse().unwrap());
    Engine::start(store, Arc::new(Vault::new([7; 32])), clock, rules, Mode::Serving)
}

async fn book(engine: &Engine, accounts: u32) {
    let told = (0..accounts).map(|number| {
        let id = format!("e-{number}");
        Incoming {
            key: InboxKey { source: "/test".to_owned(), id: id.clone() },
            account: AccountId::new(
                "shop".parse().unwrap(),
                format!("D{number:03}").parse().unwrap(),
            ),
            stamp: Stamp { at: NOW.parse::<Timestamp>().unwrap(), id },
            fact: Fact::InsolvencyOpened { on: jiff::civil::date(2026, 1, 5) },
            secrets: Vec::new(),
            recorded_at: None,
            trace: None,
        }
    });
    engine.record(told.collect()).await.unwrap();
}

#[tokio::test]
async fn all_accounts_are_looked_at_once_for_each_change_of_rules() {
    let folder = TempDir::new().unwrap();
    let engine = engine(&folder);
    book(&engine, 30).await;
    assert_eq!(engine.look_again("a", 100_000).await.unwrap(), 30);
    assert_eq!(engine.look_again("a", 100_000).await.unwrap(), 0);
    assert_eq!(engine.look_again("b", 100_000).await.unwrap(), 30);
    // Back to those of before: wake-ups are b's.
    assert_eq!(engine.look_again("a", 100_000).await.unwrap(), 30);
}

#[tokio::test]
async fn what_was_interrupted_goes_on_where_it_stopped() {
    let folder = TempDir::new().unwrap();
    let engine = engine(&folder);
    book(&engine, 30).await;
    let kept = r#"{"rules":"b","after":"shop/D019","done":false}"#;
    engine.store().put_meta("rules_served".to_owned(), Some(kept.to_owned())).await.unwrap();
    assert_eq!(engine.look_again("b", 100_000).await.unwrap(), 10);
    // Interrupted under others: what those had reached does not count.
    engine.store().put_meta("rules_served".to_owned(), Some(kept.to_owned())).await.unwrap();
    assert_eq!(engine.look_again("a", 100_000).await.unwrap(), 30);
}

#[tokio::test]
async fn the_pace_is_kept() {
    let folder = TempDir::new().unwrap();
    let engine = engine(&folder);
    book(&engine, 30).await;
    let begun = std::time::Instant::now();
    engine.look_again("a", 60).await.unwrap();
    assert!(begun.elapsed() >= std::time::Duration::from_millis(450), "{:?}", begun.elapsed());
}
