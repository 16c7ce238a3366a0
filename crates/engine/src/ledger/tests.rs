#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, civil::date};
use kulanz_domain::{
    Command,
    fact::{Fact, Stamp},
    ids::AccountId,
    money::Decimal,
};
use kulanz_store::{Append, InboxKey, KeyChange, NewEvent, Store, Wake, sqlite::SqliteStore};
use tempfile::TempDir;

use crate::{
    Engine, ExecuteError, Fault, Incoming, Mode, Receipt, SharedRules,
    clock::Clock,
    partition,
    plan::tests::{issued, policy, profile, rules},
    vault::Vault,
};

const NOW: &str = "2026-01-26T10:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn id(debtor: &str) -> AccountId {
    AccountId::new("shop".parse().unwrap(), debtor.parse().unwrap())
}

fn told(name: &str, debtor: &str, fact: Fact) -> Incoming {
    let stamp = Stamp { at: "2026-01-02T09:00:00Z".parse().unwrap(), id: name.to_owned() };
    let key = InboxKey { source: "/test".to_owned(), id: name.to_owned() };
    let (secrets, recorded_at, trace) = (Vec::new(), None, None);
    Incoming { key, account: id(debtor), stamp, fact, secrets, recorded_at, trace }
}

/// The cents of two of them are more than a number can be.
fn vast(invoice: &str) -> Fact {
    let mut fact = issued(invoice, date(2026, 1, 15));
    if let Fact::InvoiceIssued { invoice } = &mut fact {
        invoice.amount.amount = Decimal::MAX / Decimal::from(200) + Decimal::ONE_HUNDRED;
    }
    fact
}

/// A debtor with a claim that a reminder is due of.
fn owes(debtor: &str) -> [Incoming; 2] {
    let invoice = format!("R-{debtor}");
    [
        told(&format!("{debtor}/profile"), debtor, profile()),
        told(&invoice, debtor, issued(&invoice, date(2026, 1, 15))),
    ]
}

fn house() -> (TempDir, Arc<dyn Store>, Engine, Clock) {
    house_with(crate::MEMORY)
}

fn house_with(memory: usize) -> (TempDir, Arc<dyn Store>, Engine, Clock) {
    let folder = TempDir::new().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let clock = Clock::standing(now());
    let rules = SharedRules::new([("shop".parse().unwrap(), rules(policy()))].into());
    let vault = Arc::new(Vault::new([7; 32]));
    let (ours, time) = (Arc::clone(&store), clock.clone());
    let engine = Engine::start_within(memory, ours, vault, time, rules, Mode::Serving);
    (folder, store, engine, clock)
}

async fn version(engine: &Engine, debtor: &str) -> u64 {
    engine.load(&id(debtor)).await.unwrap().map_or(0, |loaded| loaded.version)
}

async fn messages(engine: &Engine, debtor: &str) -> usize {
    engine.load(&id(debtor)).await.unwrap().unwrap().account.notices.len()
}

#[tokio::test]
async fn snapshots_are_packed_and_come_the_more_rarely_the_larger_they_are() {
    let (_folder, store, engine, _) = house();
    engine.record(vec![told("profile", "A", profile())]).await.unwrap();
    let mut taken = Vec::new();
    for number in 0..400 {
        let invoice = format!("R-{number}");
        let events = vec![told(&invoice, "A", issued(&invoice, date(2026, 4, 1)))];
        engine.record(events).await.unwrap();
        let head = store.heads(vec![id("A")]).await.unwrap().remove(0).unwrap();
        let Some((at, state)) = head.snapshot.clone() else { continue };
        if taken.last() != Some(&at) {
            taken.push(at);
            let account = crate::snapshot(&state).unwrap();
            let text = serde_json::to_vec(&account).unwrap();
            assert!(state.len() * 3 < text.len(), "{} of {}", state.len(), text.len());
            // One of before is read as well.
            assert_eq!(crate::snapshot(&text).unwrap(), account);
            assert_eq!(crate::replay(&head).unwrap(), account);
        }
    }
    let gaps: Vec<u64> = taken.windows(2).map(|two| two[1] - two[0]).collect();
    assert!((2..9).contains(&gaps.len()), "{taken:?}");
    assert!(gaps.is_sorted() && gaps.last() > gaps.first(), "{taken:?}");
    let rebuilt = crate::rebuild::rebuild(&*store, |_| {}).await.unwrap();
    assert_eq!((rebuilt.accounts, rebuilt.wrong_snapshots), (1, Vec::new()));
    assert!(crate::snapshot(&[0x28, 0xb5, 0x2f, 0xfd, 1]).is_err());
}

const PANICKED: &str = "the program panicked; its log says where";

#[tokio::test]
async fn an_event_that_makes_the_program_panic_fails_alone() {
    let (_folder, _, engine, _) = house();
    let mut events = owes("A").to_vec();
    events.extend([told("vast 1", "B", vast("R-1")), told("vast 2", "B", vast("R-2"))]);
    events.extend(owes("C"));
    let receipts = engine.record(events).await.unwrap();
    let (well, failed) = (Receipt::Accepted, Receipt::Faulted(PANICKED.to_owned()));
    assert_eq!(receipts[..2], [well.clone(), well.clone()]);
    assert_eq!(receipts[2..4], [failed.clone(), failed.clone()]);
    assert_eq!(receipts[4..], [well.clone(), well.clone()]);
    assert_eq!(version(&engine, "B").await, 0);
    for debtor in ["A", "C"] {
        assert_eq!(messages(&engine, debtor).await, 1);
    }

    // One by one it turns out which of them it is. What comes later is none the worse for it.
    let mut one_by_one = Vec::new();
    for (name, invoice) in [("vast 1", "R-1"), ("vast 2", "R-2"), ("vast 1", "R-1")] {
        one_by_one.extend(engine.record(vec![told(name, "B", vast(invoice))]).await.unwrap());
    }
    assert_eq!(one_by_one, [well.clone(), failed, Receipt::Duplicate]);
    let later = engine.record(vec![told("profile", "B", profile())]).await.unwrap();
    assert_eq!(later, [well]);
}

#[tokio::test]
async fn a_command_that_makes_the_program_panic_fails_alone() {
    let (_folder, _, engine, _) = house();
    engine.record(vec![told("vast", "B", vast("R-1"))]).await.unwrap();
    let before = version(&engine, "B").await;
    let Incoming { fact, stamp, account, .. } = told("vast 2", "B", vast("R-2"));
    let rules = engine.rules(&account).unwrap();
    let command = Command::Record { fact, stamp, at: now(), account: account.clone(), rules };
    let failed = engine.execute(&account, command, "test").await;
    assert!(matches!(failed, Err(ExecuteError::Failed(Fault::Panicked))), "{failed:?}");
    assert_eq!(version(&engine, "B").await, before);
    assert_eq!(engine.record(owes("A").to_vec()).await.unwrap().len(), 2);
}

/// An account of which the store has what is no event.
fn damaged(debtor: &str) -> Append {
    let payload = "{}".to_owned();
    let cause = "test".to_owned();
    Append {
        account: id(debtor),
        partition: partition(&id(debtor)),
        expected_version: 0,
        events: vec![NewEvent { kind: "unknown", payload, recorded_at: now(), cause }],
        snapshot: None,
        wake: Wake::At(now()),
        inbox: Vec::new(),
        requests: Vec::new(),
        key: KeyChange::Keep,
        secrets: Vec::new(),
        forgets: Vec::new(),
        outbox: Vec::new(),
        held: Vec::new(),
        paylinks: Vec::new(),
        views: None,
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_read_holds_up_no_other() {
    let (_folder, store, engine, clock) = house();
    clock.set(now() - SignedDuration::from_hours(24 * 10));
    store.commit(vec![damaged("B")]).await.unwrap();
    let [profile, invoice] = owes("C");
    let events = vec![profile, told("B", "B", issued("R-B", date(2026, 1, 15))), invoice];
    let receipts = engine.record(events).await.unwrap();
    assert_eq!(messages(&engine, "C").await, 0);
    let unreadable = "account shop/B cannot be read; the log says why".to_owned();
    assert_eq!(receipts, [Receipt::Accepted, Receipt::Faulted(unreadable), Receipt::Accepted]);
    // The wake-ups of others are taken, and who takes them hears that one cannot be.
    clock.set(now());
    let failed = engine.run_due().await;
    assert!(matches!(&failed, Err(Fault::NotLoaded(account)) if *account == id("B")), "{failed:?}");
    assert_eq!(messages(&engine, "C").await, 1);
}

#[tokio::test]
async fn without_room_in_memory_accounts_come_to_the_same() {
    let mut ends = Vec::new();
    for memory in [0, crate::MEMORY] {
        let (_folder, _, engine, _) = house_with(memory);
        let debtors: Vec<String> = (0..12).map(|nth| format!("D-{nth}")).collect();
        for debtor in &debtors {
            engine.record(owes(debtor).to_vec()).await.unwrap();
        }
        for debtor in &debtors {
            let invoice = format!("S-{debtor}");
            let more = told(&invoice, debtor, issued(&invoice, date(2026, 1, 15)));
            let receipts =
                engine.record([owes(debtor).to_vec(), vec![more]].concat()).await.unwrap();
            let twice = Receipt::Duplicate;
            assert_eq!(receipts, [twice.clone(), twice, Receipt::Accepted]);
        }
        let mut accounts = Vec::new();
        for debtor in &debtors {
            let loaded = engine.load(&id(debtor)).await.unwrap().unwrap();
            accounts.push((loaded.version, loaded.account));
        }
        ends.push(accounts);
    }
    assert_eq!(ends[0], ends[1]);
}
