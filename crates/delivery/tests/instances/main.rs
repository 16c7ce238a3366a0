//! Several engines with their dispatchers on one PostgreSQL database, as several processes are.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod erased;
mod keys;
mod made;
mod pace;
#[path = "../../../../tests/tools/postgres.rs"]
mod server;
mod trust;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use kulanz_domain::{
    AccountEvent, Command,
    fact::Fact,
    ids::HoldId,
    money::{Decimal, Money},
};
use kulanz_engine::{
    ExecuteError, Incoming, Receipt, rebuild,
    store::{OutboxState, Partitions, Share, Store},
};
use rust_decimal::prelude::ToPrimitive;
use tokio::sync::watch;
use world::*;

const NO_SKEW: SignedDuration = SignedDuration::ZERO;

/// Everything that the read side says, for comparison.
async fn read_side(store: &dyn Store) -> String {
    let mut all = format!("{:?}\n", store.book(None).await.unwrap());
    for id in store.accounts(None, None, 10_000).await.unwrap() {
        all += &format!("{:?}\n", store.claims(id.clone()).await.unwrap());
        all += &format!("{:?}\n", store.notices(Some(id), 1_000).await.unwrap());
    }
    all + &format!("{:?}", store.work(None, 10_000).await.unwrap())
}

/// Facts about few accounts, so that instances are in each other's way, in a random order.
fn facts(dice: &mut Dice, debtors: u64, each: u64) -> Vec<Incoming> {
    let mut facts = Vec::new();
    for debtor in 0..debtors {
        let name = format!("D{debtor}");
        facts.push(told(&format!("{name}/profile"), &name, profile()));
        for number in 0..each {
            let (invoice, payment) =
                (format!("R-{debtor}-{number}"), format!("P-{debtor}-{number}"));
            let cents = 100 + dice.below(50_000) as i64;
            facts.push(told(&invoice, &name, issued(&invoice, cents)));
            match dice.below(3) {
                0 => facts.push(told(&payment, &name, paid(&payment, cents))),
                1 => facts.push(told(&payment, &name, paid(&payment, cents / 3 + 1))),
                _ => {}
            }
        }
    }
    for at in (1..facts.len()).rev() {
        facts.swap(at, dice.below(at as u64 + 1) as usize);
    }
    facts
}

/// Cents invoiced and paid, from the facts alone.
fn sums(facts: &[Incoming]) -> (i64, i64) {
    let cents = |amount: Money| (amount.amount * Decimal::ONE_HUNDRED).to_i64().unwrap();
    let (mut invoiced, mut received) = (0, 0);
    for fact in facts {
        match &fact.fact {
            Fact::InvoiceIssued { invoice } => invoiced += cents(invoice.amount),
            Fact::PaymentReceived { amount, .. } => received += cents(*amount),
            _ => {}
        }
    }
    (invoiced, received)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_several_instances_are_told_at_once_is_recorded_once_and_sent_once() {
    for instances in [2, 3] {
        together(instances).await;
    }
}

async fn together(count: usize) {
    let mut dice = Dice::new(&format!("{count} instances"));
    let (url, gateway) = (server::database(), Gateway::new(true));
    let skews = [0, 300, -300].map(SignedDuration::from_secs);
    let mut instances = Vec::new();
    for skew in &skews[..count] {
        instances.push(Arc::new(Instance::new(&url, *skew, &gateway).await));
    }
    // Whose partitions are whose is an optimisation: two have some in common, some are nobody's.
    instances[0].engine.take_over((0..40).collect());
    instances[1].engine.take_over((20..60).collect());
    let facts = facts(&mut dice, 24, 12);
    let (stop, told_to_stop) = watch::channel(false);
    let mut loops = Vec::new();
    for instance in &instances {
        let (dispatcher, told) = (Arc::clone(&instance.dispatcher), told_to_stop.clone());
        loops.push(tokio::spawn(async move { dispatcher.run(told).await }));
        let engine = instance.engine.clone();
        loops.push(tokio::spawn(async move { engine.run_wake_ups().await }));
    }
    // Each event goes to one, two or all of them, at the same time.
    let mut senders = Vec::new();
    for instance in &instances {
        for _ in 0..4 {
            let mut own = Vec::new();
            for fact in &facts {
                if dice.below(4) == 0 {
                    own.push(fact.clone());
                }
            }
            let engine = instance.engine.clone();
            senders.push(tokio::spawn(async move { send(&engine, own).await }));
        }
    }
    // Nothing of it is left out.
    let engine = instances[0].engine.clone();
    let all = facts.clone();
    senders.push(tokio::spawn(async move { send(&engine, all).await }));
    let mut accepted: HashMap<String, u32> = HashMap::new();
    let mut duplicates = 0;
    for sender in senders {
        for (id, receipt) in sender.await.unwrap() {
            match receipt {
                Receipt::Accepted => *accepted.entry(id).or_default() += 1,
                Receipt::Duplicate => duplicates += 1,
                other => panic!("{id}: {other:?}"),
            }
        }
    }
    assert_eq!(accepted.len(), facts.len());
    let twice: Vec<_> = accepted.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "accepted more than once: {twice:?}");

    let store = Arc::clone(instances[0].store());
    eventually("all messages have come to their end", async || {
        let now = instances[0].engine.clock().now();
        let late = now + SignedDuration::from_secs(600);
        let mut open = store.due(late, Share::ALL, 1).await.unwrap().len();
        for state in [OutboxState::Queued, OutboxState::Sending] {
            open += store.outbox(Some(state), 1).await.unwrap().len();
        }
        // Where clocks stand apart, some wait for the one that is ahead.
        for instance in &instances {
            instance.engine.clock().set(late);
        }
        open == 0
    })
    .await;
    stop.send_replace(true);
    loops.iter().for_each(tokio::task::JoinHandle::abort);

    let (invoiced, received) = sums(&facts);
    let (accounts, rows) = store.book(None).await.unwrap();
    assert_eq!(accounts, 24);
    assert_eq!((rows[0].principal, rows[0].paid), (invoiced, received));
    let events = events_in_order(&*store).await;
    let (messages, most) = gateway.counts();
    assert_eq!(most, 1, "a message was sent twice");
    let sent = store.outbox(Some(OutboxState::Sent), 10_000).await.unwrap();
    assert_eq!(sent.len(), messages);
    assert!(messages > 0);
    let before = read_side(&*store).await;
    let rebuilt = rebuild::rebuild(&*store, |_| {}).await.unwrap();
    assert_eq!(rebuilt.wrong_snapshots, []);
    assert_eq!(read_side(&*store).await, before, "a rebuild gives other rows");
    println!(
        "{count} instances: {} facts, {duplicates} duplicates, {events} events, {messages} messages",
        facts.len()
    );
}

/// Posts facts a few at a time; what came of each.
async fn send(engine: &kulanz_engine::Engine, facts: Vec<Incoming>) -> Vec<(String, Receipt)> {
    let mut all = Vec::with_capacity(facts.len());
    for part in facts.chunks(5) {
        let receipts = engine.record(part.to_vec()).await.unwrap();
        all.extend(part.iter().map(|fact| fact.key.id.clone()).zip(receipts));
    }
    all
}

/// Positions rise, versions follow each other, no claim is told of a step twice, no inbound event
/// is behind two; how many events there are.
async fn events_in_order(store: &dyn Store) -> usize {
    let events = store.events_after(0, u32::MAX >> 1).await.unwrap();
    let (mut position, mut versions) = (0, BTreeMap::new());
    let (mut steps, mut facts) = (BTreeSet::new(), BTreeSet::new());
    let mut decided = BTreeMap::new();
    for event in &events {
        assert!(event.position > position, "{event:?}");
        position = event.position;
        let version = versions.entry(event.account.clone()).or_insert(0);
        *version += 1;
        assert_eq!(event.version, *version, "{event:?}");
        if ["InvoiceIssued", "PaymentReceived"].contains(&event.kind.as_str()) {
            assert!(facts.insert(event.cause.clone()), "recorded twice: {event:?}");
        }
        match serde_json::from_str(&event.payload).unwrap() {
            AccountEvent::NoticeDecided(notice) => {
                assert!(decided.insert(notice.notice.clone(), notice).is_none(), "{event:?}");
            }
            // What was decided and then suppressed did not happen, and is decided anew.
            AccountEvent::NoticeSent { notice, .. } => {
                let notice = &decided[&notice];
                for claim in &notice.claims {
                    let step = (claim.invoice.to_string(), notice.step.to_string());
                    assert!(steps.insert(step), "told twice: {event:?}");
                }
            }
            _ => {}
        }
    }
    events.len()
}

fn hold(id: &str) -> Fact {
    let hold = HoldId::new(id).unwrap();
    Fact::HoldPlaced { hold, invoice: None, owner: "clerk".to_owned(), until: None }
}

/// One instance has an account in memory while another one changes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_rests_on_what_is_so_and_not_on_what_was_in_memory() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    let other = Instance::new(&url, NO_SKEW, &gateway).await;
    let promise = async |instance: &Instance, name: &str| {
        let rules = instance.engine.rules(&account("D1")).unwrap();
        let command = Command::Promise {
            promise: name.parse().unwrap(),
            until: jiff::civil::date(2026, 4, 2),
            now: instance.engine.clock().now(),
            rules,
            by_person: true,
        };
        instance.engine.execute(&account("D1"), command, "test").await
    };
    let record = async |instance: &Instance, id: &str, fact| {
        instance.engine.record(vec![told(id, "D1", fact)]).await.unwrap()
    };
    record(&one, "1", profile()).await;
    // Nothing is owed, as far as this one knows.
    let refused = promise(&one, "V-1").await;
    assert!(matches!(refused, Err(ExecuteError::Refused(_))), "{refused:?}");
    record(&other, "2", issued("R-1", 9_000)).await;
    let agreed = promise(&one, "V-1").await.unwrap();
    assert!(agreed.kinds.contains(&"PromiseMade"), "{agreed:?}");
    // The other one has not seen that; the same again has no effect, and is no second promise.
    let again = promise(&other, "V-1").await.unwrap();
    assert_eq!(again.kinds, Vec::<&str>::new());
    record(&other, "3", paid("P-1", 9_000)).await;
    let refused = promise(&one, "V-2").await;
    assert!(matches!(refused, Err(ExecuteError::Refused(_))), "{refused:?}");
    // A duplicate is one wherever it comes in.
    assert_eq!(record(&one, "3", paid("P-1", 9_000)).await, [Receipt::Duplicate]);
    // What contradicts what only the other one recorded is refused, and not recorded first.
    record(&other, "4", issued("R-2", 500)).await;
    let told = record(&one, "5", issued("R-2", 700)).await;
    assert!(matches!(told[..], [Receipt::Refused(_)]), "{told:?}");
    let claims = one.store().claims(account("D1")).await.unwrap();
    assert_eq!(claims.iter().map(|claim| claim.principal).sum::<i64>(), 9_500);
}

/// All at once on one account: who is overtaken is decided again, and nobody hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_overtaken_is_decided_again_and_whoever_won_is_answered() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let mut instances = Vec::new();
    for _ in 0..3 {
        instances.push(Instance::new(&url, NO_SKEW, &gateway).await);
    }
    let mut calls = Vec::new();
    for number in 0..60 {
        let engine = instances[number % 3].engine.clone();
        calls.push(tokio::spawn(async move {
            let (id, own) = (format!("h-{number}"), format!("o-{number}"));
            // One of an account that all want, one of an account of its own.
            let facts =
                vec![told(&id, "D1", hold(&id)), told(&own, &format!("own-{number}"), hold(&own))];
            engine.record(facts).await.unwrap()
        }));
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), [Receipt::Accepted, Receipt::Accepted]);
    }
    let loaded = instances[0].engine.load(&account("D1")).await.unwrap().unwrap();
    assert_eq!(loaded.account.holds.len(), 60);
    events_in_order(&**instances[0].store()).await;
}

/// A payment that nobody could match is told to the account that it is assigned to, once, whatever
/// gets in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_that_is_assigned_arrives_once_whoever_else_is_at_work() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    let other = Instance::new(&url, NO_SKEW, &gateway).await;
    let mut calls = Vec::new();
    for number in 0..30 {
        let (payment, to) = (format!("P-{number}"), account(&format!("D{}", number % 3)));
        let received = told(&payment, kulanz_engine::UNMATCHED, paid(&payment, 100));
        let assigned = told(
            &format!("a-{number}"),
            kulanz_engine::UNMATCHED,
            Fact::PaymentAssigned {
                payment: payment.parse().unwrap(),
                to: to.clone(),
                invoice: None,
            },
        );
        let noise =
            told(&format!("h-{number}"), &to.debtor.to_string(), hold(&format!("H-{number}")));
        for (turn, fact) in [received, assigned, noise].into_iter().enumerate() {
            let engine = [&one, &other][(number + turn) % 2].engine.clone();
            calls.push(tokio::spawn(async move { engine.record(vec![fact]).await.unwrap() }));
        }
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), [Receipt::Accepted]);
    }
    for debtor in 0..3 {
        let id = account(&format!("D{debtor}"));
        let loaded = one.engine.load(&id).await.unwrap().unwrap();
        let received = loaded.account.payments.values().filter(|p| p.received.is_some()).count();
        assert_eq!(received, 10, "{id}");
    }
    events_in_order(&**one.store()).await;
}

/// Ten accounts of whom each is to be told of something.
async fn overdue(instance: &Instance) {
    let facts = (0..10).flat_map(|number| {
        let (debtor, invoice) = (format!("D{number}"), format!("R-{number}"));
        [
            told(&format!("p-{number}"), &debtor, profile()),
            told(&format!("i-{number}"), &debtor, issued(&invoice, 5_000)),
        ]
    });
    instance.engine.record(facts.collect()).await.unwrap();
}

/// Ten messages that one instance takes, whose gateway then hangs; the task that sends them.
async fn taken_and_hanging(instance: &Instance, gateway: &Gateway) -> tokio::task::JoinHandle<()> {
    gateway.hangs.store(true, Ordering::SeqCst);
    overdue(instance).await;
    let dispatcher = Arc::clone(&instance.dispatcher);
    let sending = tokio::spawn(async move {
        let _ = dispatcher.run_once().await;
    });
    eventually("all of them hang", async || gateway.counts().0 == 10).await;
    sending
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_an_instance_that_lives_is_left_to_it_and_that_of_a_dead_one_goes_on() {
    for knows_keys in [true, false] {
        let (url, gateway) = (server::database(), Gateway::new(knows_keys));
        let one = Instance::new(&url, NO_SKEW, &gateway).await;
        // A clock that is far off takes nothing for dead.
        let other = Instance::new(&url, SignedDuration::from_secs(300), &gateway).await;
        let sending = taken_and_hanging(&one, &gateway).await;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(9) {
            assert_eq!(other.dispatcher.recover().await.unwrap(), 0);
        }
        sending.abort();
        gateway.hangs.store(false, Ordering::SeqCst);
        let mut recovered = 0;
        eventually("all are taken over", async || {
            recovered += other.dispatcher.recover().await.unwrap();
            recovered == 10
        })
        .await;
        let store = other.store();
        let count = async |state| store.outbox(Some(state), 99).await.unwrap().len();
        match knows_keys {
            true => {
                other.dispatcher.run_once().await.unwrap();
                assert_eq!(count(OutboxState::Sent).await, 10);
                assert_eq!(gateway.counts(), (10, 2), "again, under the same keys");
            }
            false => {
                assert_eq!(count(OutboxState::Unknown).await, 10);
                assert_eq!(gateway.counts(), (10, 1), "not again");
            }
        }
        assert_eq!(other.store().next_wake(Partitions::NONE).await.unwrap(), None);
    }
}

/// A process that was stopped for longer than its lease writes nothing of its attempt, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_was_overtaken_is_counted_as_that() {
    let url = server::database();
    let (slow, quick) = (Gateway::new(true), Gateway::new(true));
    let other = Instance::new(&url, NO_SKEW, &quick).await;
    let (go_on, until) = std::sync::mpsc::channel();
    *slow.stands_still.lock().unwrap() = Some(until);
    let (asked, there) = (Arc::clone(&slow), url.clone());
    let stopped = std::thread::spawn(move || {
        let ends = Ends::default();
        // A second one: where there is one alone, threads without it settle that nobody counts.
        let _second = tracing::Dispatch::new(ends.clone());
        let _all_here = tracing::subscriber::set_default(ends.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let one = Instance::new(&there, NO_SKEW, &asked).await;
            let facts = vec![told("p", "D", profile()), told("i", "D", issued("R", 5_000))];
            one.engine.record(facts).await.unwrap();
            one.dispatcher.run_once().await.unwrap();
        });
        ends.0.lock().unwrap().clone()
    });
    eventually("it is with the gateway", async || slow.counts().0 == 1).await;
    eventually("another one takes it over", async || {
        other.dispatcher.recover().await.unwrap() == 1
    })
    .await;
    assert_eq!(other.dispatcher.run_once().await.unwrap(), 1);
    assert_eq!(quick.counts(), (1, 1));
    go_on.send(()).unwrap();
    let ends = tokio::task::spawn_blocking(|| stopped.join().unwrap()).await.unwrap();
    assert_eq!(ends, ["overtaken"]);
    assert_eq!(other.store().outbox(Some(OutboxState::Sent), 9).await.unwrap().len(), 1);
}

/// The same without any death: the gateway took it and did not say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gateway_may_have_taken_without_saying_so_is_never_told_as_not_sent() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    let other = Instance::new(&url, SignedDuration::from_mins(5), &gateway).await;
    gateway.silent.store(true, Ordering::SeqCst);
    overdue(&one).await;
    let mut tried = 0;
    eventually("all are tried once", async || {
        tried += one.dispatcher.run_once().await.unwrap();
        tried >= 10
    })
    .await;
    gateway.silent.store(false, Ordering::SeqCst);
    let payments = (0..4).map(|number| {
        let payment = format!("P-{number}");
        told(&payment, &format!("D{number}"), paid(&payment, 5_000))
    });
    one.engine.record(payments.collect()).await.unwrap();
    // By a clock that is ahead every next try is due.
    let count = async |state| other.store().outbox(Some(state), 99).await.unwrap().len();
    eventually("all are at their end", async || {
        other.dispatcher.run_once().await.unwrap();
        count(OutboxState::Queued).await == 0
    })
    .await;
    assert_eq!(count(OutboxState::Sent).await, 6);
    assert_eq!(count(OutboxState::Unknown).await, 4);
    assert_eq!(count(OutboxState::Suppressed).await, 0);
}

/// The gateway may have what a dead instance was sending: whoever has paid meanwhile is not written to
/// again, and nobody says that the message was not sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_left_is_never_told_as_not_sent() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    let other = Instance::new(&url, NO_SKEW, &gateway).await;
    let sending = taken_and_hanging(&one, &gateway).await;
    sending.abort();
    gateway.hangs.store(false, Ordering::SeqCst);
    let payments = (0..4).map(|number| {
        let payment = format!("P-{number}");
        told(&payment, &format!("D{number}"), paid(&payment, 5_000))
    });
    other.engine.record(payments.collect()).await.unwrap();
    let mut recovered = 0;
    eventually("all are taken over", async || {
        recovered += other.dispatcher.recover().await.unwrap();
        recovered == 10
    })
    .await;
    other.dispatcher.run_once().await.unwrap();
    let count = async |state| other.store().outbox(Some(state), 99).await.unwrap().len();
    assert_eq!(count(OutboxState::Sent).await, 6);
    assert_eq!(count(OutboxState::Unknown).await, 4);
    assert_eq!(count(OutboxState::Suppressed).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_are_not_served_any_more_decide_and_send_nothing() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let old = Instance::new(&url, NO_SKEW, &gateway).await;
    let new = Instance::new(&url, NO_SKEW, &gateway).await;
    assert!(!old.engine.serve_rules("one").await.unwrap());
    assert!(old.engine.is_in_force().await.unwrap());
    assert!(new.engine.serve_rules("two").await.unwrap());
    let overdue = |id: &str, debtor: &str| {
        vec![told(&format!("p{id}"), debtor, profile()), told(id, debtor, issued(id, 5_000))]
    };
    // It records, and leaves it to the other one to decide.
    old.engine.record(overdue("R-1", "D1")).await.unwrap();
    assert!(*old.engine.outdated().borrow());
    assert_eq!(old.store().outbox(None, 9).await.unwrap(), []);
    assert_eq!(old.engine.run_due().await.unwrap(), 0);
    assert_eq!(new.engine.run_due().await.unwrap(), 1);
    assert_eq!(new.store().outbox(None, 9).await.unwrap().len(), 1);
    assert_eq!(old.dispatcher.run_once().await.unwrap(), 0);
    assert_eq!(new.dispatcher.run_once().await.unwrap(), 1);
    assert_eq!(gateway.counts(), (1, 1));
}
