#![allow(clippy::unwrap_used)]
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kulanz_domain::{
    Command,
    calendar::Region,
    fact::{Fact, Stamp},
    ids::AccountId,
    policy::{Creditor, Law, Rules},
};
use kulanz_store::{Store, sqlite::SqliteStore};
use tempfile::TempDir;

use super::Request;
use crate::{
    Done, Engine, ExecuteError, Extra, Fault, Mode, SharedRules, clock::Clock, vault::Vault,
};

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
    let clock = Clock::standing("2026-01-12T10:00:00Z".parse().unwrap());
    Engine::start(store, Arc::new(Vault::new([7; 32])), clock, rules, Mode::Serving)
}

fn account(debtor: &str) -> AccountId {
    AccountId::new("shop".parse().unwrap(), debtor.parse().unwrap())
}

fn keyed(key: u8, said: &'static str) -> Extra {
    let request =
        Request::new([key; 32], [key; 32], "2026-01-12T10:00:00Z".parse().unwrap(), move |done| {
            Ok(format!("{said} {}", done.kinds.join(" ")).into_bytes())
        });
    Extra { request: Some(Arc::new(request)), ..Extra::default() }
}

async fn hold(
    engine: &Engine,
    debtor: &str,
    hold: &str,
    extra: Extra,
) -> Result<Done, ExecuteError> {
    let (id, at) = (account(debtor), engine.clock().now());
    let hold = hold.parse().unwrap();
    let fact = Fact::HoldPlaced { hold, invoice: None, owner: "ada".to_owned(), until: None };
    let stamp = Stamp { at, id: debtor.to_owned() };
    let rules = engine.rules(&id).unwrap();
    let command = Command::Record { fact, stamp, at, account: id.clone(), rules };
    engine.execute_with(&id, Some(command), "person:ada", extra).await
}

async fn kept(engine: &Engine, key: u8) -> Option<String> {
    let row = engine.store().request([key; 32], jiff::Timestamp::MIN).await.unwrap()?;
    Some(String::from_utf8(row.answer.unwrap()).unwrap())
}

async fn holds(engine: &Engine, debtor: &str) -> usize {
    let loaded = engine.load(&account(debtor)).await.unwrap();
    loaded.map_or(0, |loaded| loaded.account.holds.len())
}

fn is_answered(done: &Result<Done, ExecuteError>) -> bool {
    matches!(done, Err(ExecuteError::Failed(Fault::Answered)))
}

#[tokio::test]
async fn of_commands_with_one_key_one_is_done_whatever_comes_between() {
    let folder = TempDir::new().unwrap();
    let engine = engine(&folder);
    // In one batch, on one account and on another, with others that have nothing to do with it.
    let (one, other, same, elsewhere, after) = tokio::join!(
        hold(&engine, "D1", "H-1", keyed(1, "first")),
        hold(&engine, "D1", "H-2", keyed(2, "other")),
        hold(&engine, "D1", "H-3", keyed(1, "second")),
        hold(&engine, "D2", "H-4", keyed(1, "third")),
        hold(&engine, "D2", "H-5", Extra::default()),
    );
    assert_eq!(one.unwrap().kinds, ["HoldPlaced"]);
    assert!(other.is_ok() && after.is_ok(), "{other:?} {after:?}");
    assert!(is_answered(&same) && is_answered(&elsewhere), "{same:?} {elsewhere:?}");
    assert_eq!((holds(&engine, "D1").await, holds(&engine, "D2").await), (2, 1));
    // And one after the other.
    assert!(is_answered(&hold(&engine, "D1", "H-6", keyed(1, "late")).await));
    assert_eq!(holds(&engine, "D1").await, 2);
    assert_eq!(kept(&engine, 1).await.unwrap(), "first HoldPlaced");
    assert_eq!(kept(&engine, 2).await.unwrap(), "other HoldPlaced");
}

#[tokio::test]
async fn what_changes_nothing_is_answered_too_and_what_is_refused_is_not() {
    let folder = TempDir::new().unwrap();
    let engine = engine(&folder);
    hold(&engine, "D1", "H-1", Extra::default()).await.unwrap();
    let again = hold(&engine, "D1", "H-1", keyed(1, "so already")).await.unwrap();
    assert!(again.kinds.is_empty(), "{again:?}");
    assert_eq!(kept(&engine, 1).await.unwrap(), "so already ");
    let (id, by) = (account("D1"), "ada".to_owned());
    let command = Command::Admit { invoice: "R-1".parse().unwrap(), by };
    let refused = engine.execute_with(&id, Some(command), "person:ada", keyed(2, "no")).await;
    assert!(matches!(refused, Err(ExecuteError::Refused(_))), "{refused:?}");
    assert_eq!(kept(&engine, 2).await, None);
}

#[tokio::test]
async fn a_command_that_cannot_be_answered_is_not_done() {
    let folder = TempDir::new().unwrap();
    let engine = engine(&folder);
    let broken = Arc::new(AtomicBool::new(true));
    let looked_at = Arc::clone(&broken);
    let now = engine.clock().now();
    let request =
        Request::new([1; 32], [1; 32], now, move |_| match looked_at.load(Ordering::SeqCst) {
            true => Err(Fault::Other("no random numbers".to_owned())),
            false => Ok(b"done".to_vec()),
        });
    let extra = Extra { request: Some(Arc::new(request)), ..Extra::default() };
    let failed = hold(&engine, "D1", "H-1", extra.clone()).await.unwrap_err();
    assert!(failed.to_string().contains("no random numbers"), "{failed}");
    assert_eq!((holds(&engine, "D1").await, kept(&engine, 1).await), (0, None));
    broken.store(false, Ordering::SeqCst);
    hold(&engine, "D1", "H-1", extra).await.unwrap();
    assert_eq!(
        (holds(&engine, "D1").await, kept(&engine, 1).await.unwrap()),
        (1, "done".to_owned())
    );
}
