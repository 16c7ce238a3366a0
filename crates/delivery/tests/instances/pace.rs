//! What is slow, away or has enough holds up nothing but itself.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use kulanz_domain::fact::Channel;
use kulanz_engine::store::OutboxState;
use tokio::{sync::watch, task::JoinHandle};

use crate::{NO_SKEW, server, world::*};

/// As many debtors, reachable by `channel`, each with something overdue.
async fn overdue(instance: &Instance, channel: Channel, first: u32, count: u32) {
    let of = |number: u32| {
        let (name, invoice) = (format!("D{number}"), format!("R-{number}"));
        let profile = told(&format!("p/{number}"), &name, reachable_by(channel));
        [profile, told(&invoice, &name, issued(&invoice, 5_000))]
    };
    let facts = (first..first + count).flat_map(of).collect();
    instance.engine.record(facts).await.unwrap();
}

/// It sends until it is told to stop.
fn running(instance: &Instance) -> (watch::Sender<bool>, JoinHandle<()>) {
    let (dispatcher, (stop, told)) = (Arc::clone(&instance.dispatcher), watch::channel(false));
    (stop, tokio::spawn(async move { dispatcher.run(told).await }))
}

async fn count(instance: &Instance, state: OutboxState) -> usize {
    instance.store().outbox(Some(state), 9_999).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_hang_hold_up_no_others_and_are_left_to_themselves() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    gateway.hangs.store(true, Ordering::SeqCst);
    overdue(&one, Channel::Sms, 0, 10).await;
    let (stop, sending) = running(&one);
    let begun = Instant::now();
    eventually("all of them hang", async || gateway.counts().0 == 10).await;
    gateway.hangs.store(false, Ordering::SeqCst);
    overdue(&one, Channel::Sms, 100, 300).await;
    eventually("all others are sent", async || count(&one, OutboxState::Sent).await == 300).await;
    // Whoever sends looks for messages that nobody goes on with meanwhile, and other instances too.
    let other = Instance::new(&url, NO_SKEW, &gateway).await;
    while begun.elapsed() < Duration::from_secs(12) {
        assert_eq!(other.dispatcher.recover().await.unwrap(), 0);
    }
    assert_eq!(gateway.counts(), (310, 1));
    assert_eq!(count(&one, OutboxState::Sending).await, 10);
    // Told to stop it takes nothing any more, and waits for what is under way.
    stop.send_replace(true);
    overdue(&one, Channel::Sms, 900, 1).await;
    assert!(tokio::time::timeout(Duration::from_millis(300), sending).await.is_err());
    assert_eq!(count(&one, OutboxState::Queued).await, 1);
}

/// What the first of them changes, the look before the next one sees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_account_go_one_after_the_other() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    overdue(&one, Channel::Sms, 0, 1).await;
    one.engine.record(vec![told("R-0b", "D0", issued("R-0b", 4_000))]).await.unwrap();
    assert_eq!(count(&one, OutboxState::Queued).await, 2);
    gateway.hangs.store(true, Ordering::SeqCst);
    let (_stop, sending) = running(&one);
    eventually("the first one hangs", async || gateway.counts().0 == 1).await;
    gateway.hangs.store(false, Ordering::SeqCst);
    overdue(&one, Channel::Sms, 1, 1).await;
    eventually("another account's is sent", async || count(&one, OutboxState::Sent).await == 1)
        .await;
    assert_eq!((gateway.counts(), count(&one, OutboxState::Sending).await), ((2, 1), 2));
    sending.abort();
    // Of those that go on with both one has the first, and then the second.
    eventually("nobody has them", async || one.dispatcher.recover().await.unwrap() == 2).await;
    assert_eq!(one.dispatcher.run_once().await.unwrap(), 2);
    assert_eq!((gateway.counts(), count(&one, OutboxState::Sent).await), ((3, 2), 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_whose_gateway_hangs_holds_no_other_up() {
    let (url, sms, mail) = (server::database(), Gateway::new(true), Gateway::new(false));
    let one = Instance::with_mail(&url, NO_SKEW, &sms, Some(&mail)).await;
    mail.hangs.store(true, Ordering::SeqCst);
    overdue(&one, Channel::Email, 0, 200).await;
    let (_stop, sending) = running(&one);
    eventually("its lane is full", async || mail.counts().0 == 64).await;
    overdue(&one, Channel::Sms, 500, 200).await;
    eventually("the other one sends", async || count(&one, OutboxState::Sent).await == 200).await;
    assert_eq!((sms.counts(), mail.counts()), ((200, 1), (64, 1)));
    assert_eq!(count(&one, OutboxState::Queued).await, 200 - 64);
    sending.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_has_enough_is_not_asked_for_the_others_either() {
    let (url, sms, mail) = (server::database(), Gateway::new(true), Gateway::new(false));
    let one = Instance::with_mail(&url, NO_SKEW, &sms, Some(&mail)).await;
    *sms.busy.lock().unwrap() = Some(Duration::from_secs(3));
    overdue(&one, Channel::Sms, 0, 100).await;
    let begun = Instant::now();
    let (stop, sending) = running(&one);
    eventually("the first ones are turned away", async || {
        count(&one, OutboxState::Queued).await == 100 && sms.counts().0 > 0
    })
    .await;
    let (turned_away, _) = sms.counts();
    assert!(turned_away <= 64, "{turned_away}");
    *sms.busy.lock().unwrap() = None;
    // Others go on.
    overdue(&one, Channel::Email, 500, 50).await;
    eventually("e-mails leave", async || count(&one, OutboxState::Sent).await == 50).await;
    assert_eq!(sms.counts().0, turned_away);
    eventually("it is asked again", async || sms.counts().0 > turned_away).await;
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    // Those that it turned away wait for their own next try; the clock stands.
    let rest = 100 - turned_away;
    eventually("the rest leaves", async || count(&one, OutboxState::Sent).await == 50 + rest).await;
    assert_eq!(sms.counts(), (100, 1));
    let waiting = one.store().outbox(Some(OutboxState::Queued), 999).await.unwrap();
    assert_eq!(waiting.len(), turned_away);
    stop.send_replace(true);
    sending.await.unwrap();
}
