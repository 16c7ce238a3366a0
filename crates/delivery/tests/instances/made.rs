//! A message lies in the outbox with its decision, and leaves as it lies there, unless what it was
//! made of has changed.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kulanz_domain::fact::Fact;
use kulanz_engine::{
    making,
    store::{Lease, OutboxRow, OutboxState},
};
use serde_json::Value;

use crate::{NO_SKEW, server, world::*};

/// A debtor who is to be told of an invoice.
async fn overdue(instance: &Instance) {
    let facts = vec![told("p", "D", profile()), told("i", "D", issued("R-1", 5_000))];
    instance.engine.record(facts).await.unwrap();
}

/// The one message in a state.
async fn message(instance: &Instance, state: OutboxState) -> OutboxRow {
    let rows = instance.store().outbox(Some(state), 99).await.unwrap();
    let [row] = rows.as_slice() else { panic!("{} are {state:?}", rows.len()) };
    row.clone()
}

/// The message as it is kept.
async fn kept(instance: &Instance, row: &OutboxRow) -> Value {
    let loaded = instance.engine.load(&row.account).await.unwrap().unwrap();
    let slot = making::slot(&row.notice);
    let mut data = instance.engine.secrets(&row.account, &loaded, &[&slot]).await.unwrap();
    data.remove(&slot).unwrap()
}

fn text(kept: &Value) -> String {
    kept["text"].as_str().unwrap().to_owned()
}

fn link(text: &str) -> String {
    text.split_whitespace().find(|word| word.contains("/p/")).unwrap().to_owned()
}

/// The debtor's number is another one.
fn moved(number: &str) -> kulanz_engine::Incoming {
    let mut fact = told("moved", "D", profile());
    fact.stamp.at = "2026-03-23T09:30:00Z".parse().unwrap();
    fact.secrets = vec![("debtor".to_owned(), format!(r#"{{"mobile":"{number}"}}"#).into_bytes())];
    fact
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_lies_in_the_outbox_with_its_decision_and_leaves_as_it_lies_there() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    let other = Instance::new(&url, NO_SKEW, &gateway).await;
    overdue(&one).await;
    let before = kept(&one, &message(&one, OutboxState::Queued).await).await;
    assert!(text(&before).contains("50,00 € sind offen"), "{before}");
    // Another instance sends what the first one made.
    other.dispatcher.run_once().await.unwrap();
    let row = message(&one, OutboxState::Sent).await;
    assert_eq!(kept(&one, &row).await, before);
    assert_eq!(*gateway.sent.lock().unwrap(), [("+4915112345678".to_owned(), text(&before))]);
    // Its paylink opens the page.
    let link = link(&text(&before));
    let token = link.rsplit('/').next().unwrap();
    let paylink = one.store().paylink(kulanz_engine::token_hash(token)).await.unwrap().unwrap();
    assert_eq!((paylink.account, paylink.notice), (row.account, Some(row.notice)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_made_anew_where_what_it_was_made_of_has_changed() {
    /// Number that it goes to, and what happens before.
    type Change = (&'static str, &'static str, fn(&Instance) -> Option<kulanz_engine::Incoming>);
    let changes: [Change; 3] = [
        ("the number", "+4915187654321", |_| Some(moved("+4915187654321"))),
        ("the account", "+4915112345678", |_| Some(moved("+4915112345678"))),
        ("the day", "+4915112345678", |instance| {
            let next: Timestamp = "2026-03-24T10:00:00Z".parse().unwrap();
            instance.engine.clock().set(next);
            None
        }),
    ];
    for (what, number, change) in changes {
        let (url, gateway) = (server::database(), Gateway::new(true));
        let one = Instance::new(&url, NO_SKEW, &gateway).await;
        overdue(&one).await;
        let before = text(&kept(&one, &message(&one, OutboxState::Queued).await).await);
        if let Some(fact) = change(&one) {
            one.engine.record(vec![fact]).await.unwrap();
        }
        one.dispatcher.run_once().await.unwrap();
        let sent = gateway.sent.lock().unwrap().clone();
        let [(to, said)] = sent.as_slice() else { panic!("{what}: {} were sent", sent.len()) };
        assert_eq!(to, number, "{what}");
        assert_ne!(link(said), link(&before), "{what}");
        let row = message(&one, OutboxState::Sent).await;
        assert_eq!(text(&kept(&one, &row).await), *said, "{what}: what the reader saw is kept");
    }
}

/// A number that comes with the invoice, or in the batch right before, is the one that counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_made_with_what_came_last_also_where_that_is_being_written() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    one.engine.record(vec![told("p", "D", profile())]).await.unwrap();
    let first = one.engine.hand_over(vec![moved("+4915187654321")]).await.unwrap();
    let second = one.engine.hand_over(vec![told("i", "D", issued("R-1", 5_000))]).await.unwrap();
    first.receipts().await.unwrap();
    second.receipts().await.unwrap();
    let made = kept(&one, &message(&one, OutboxState::Queued).await).await;
    assert_eq!(made["to"], "+4915187654321");
    one.dispatcher.run_once().await.unwrap();
    assert_eq!(*gateway.sent.lock().unwrap(), [("+4915187654321".to_owned(), text(&made))]);
}

/// Who died with a message that it had only taken has sent nothing of it, although it is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_only_taken_is_tried_again_by_any_gateway() {
    let (url, gateway) = (server::database(), Gateway::new(false));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    overdue(&one).await;
    let row = message(&one, OutboxState::Queued).await;
    let dead = Lease { holder: "dead".to_owned(), seconds: 1 };
    let (creditor, later) = (row.account.creditor, row.next_at + SignedDuration::from_secs(1));
    let taken = one.store().take_outbox((creditor, row.channel), later, 9, dead).await.unwrap();
    assert_eq!(taken.len(), 1);
    let store = Arc::clone(one.store());
    eventually("it is taken over", async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        one.dispatcher.recover().await.unwrap() == 1
    })
    .await;
    assert_eq!(store.outbox(Some(OutboxState::Queued), 9).await.unwrap().len(), 1);
    one.dispatcher.run_once().await.unwrap();
    message(&one, OutboxState::Sent).await;
    assert_eq!(gateway.counts(), (1, 1));
}

/// What nobody is going to read is kept for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_message_said_goes_where_it_is_not_sent_after_all() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    overdue(&one).await;
    let row = message(&one, OutboxState::Queued).await;
    assert!(text(&kept(&one, &row).await).contains("50,00"));
    one.engine.record(vec![told("paid", "D", paid("P-1", 5_000))]).await.unwrap();
    one.dispatcher.run_once().await.unwrap();
    let row = message(&one, OutboxState::Suppressed).await;
    assert_eq!(row.detail.as_deref(), Some("Paid"));
    let secrets = one.store().secrets(row.account.clone(), Vec::new()).await.unwrap();
    let slots: Vec<_> = secrets.into_iter().map(|secret| secret.slot).collect();
    assert_eq!(slots, ["debtor"]);
    assert!(gateway.sent.lock().unwrap().is_empty());
}

/// Nobody is written to of whom the address is not known, and a person hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_made_is_parked_when_it_is_to_leave() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Instance::new(&url, NO_SKEW, &gateway).await;
    let mut unknown = told("p", "D", profile());
    assert!(matches!(unknown.fact, Fact::DebtorUpdated { .. }));
    unknown.secrets = vec![("debtor".to_owned(), b"{}".to_vec())];
    let facts = vec![unknown, told("i", "D", issued("R-1", 5_000))];
    one.engine.record(facts).await.unwrap();
    one.dispatcher.run_once().await.unwrap();
    let row = message(&one, OutboxState::Parked).await;
    assert_eq!(row.detail.as_deref(), Some("no address on file"));
    assert!(gateway.sent.lock().unwrap().is_empty());
}
