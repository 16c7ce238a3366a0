//! A message that makes the program panic is put aside, and all others leave.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use kulanz_delivery::senders::{Accepted, Outgoing, SendError, Sender};
use kulanz_domain::{
    AccountEvent,
    fact::Channel,
    ids::{AccountId, NoticeId},
    money::Decimal,
};
use kulanz_engine::{
    partition,
    store::{Append, KeyChange, Lease, NewEvent, OutboxRow, OutboxState, Store, Wake},
};

use super::{DUE, house::House};

/// A gateway whose answer to the messages of one debtor makes the program panic.
struct Trips {
    on: AccountId,
}

#[async_trait]
impl Sender for Trips {
    async fn send(&self, message: &Outgoing, _: &NoticeId) -> Result<Accepted, SendError> {
        assert!(message.account != self.on, "an answer that nobody reckoned with");
        Ok(Accepted { via: "test".to_owned(), gateway_id: None })
    }

    fn idempotent(&self) -> bool {
        false
    }
}

async fn one(house: &House, state: OutboxState) -> OutboxRow {
    let mut rows = house.store().outbox(Some(state), 9).await.unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_panics_while_it_leaves_waits_for_a_person_and_others_leave() {
    let on: AccountId = "shop/D-1".parse().unwrap();
    let zones = ("Europe/Berlin", "Europe/Berlin");
    let mut house = House::sending([None, None], zones, Arc::new(Trips { on: on.clone() }));
    house.debtors("shop", 0, 3, DUE).await;
    house.run().await;
    assert_eq!(house.sent("shop").await, 2);
    let aside = one(&house, OutboxState::Unknown).await;
    assert_eq!(aside.account, on);
    assert!(aside.detail.unwrap().contains("makes the program panic"));
    // What became of it is an event of its account, which a person answers as ever.
    let kinds = house.store().stream(on, 0).await.unwrap();
    assert_eq!(kinds.last().unwrap().kind, "NoticeParked");
    // Neither a restart nor time sends it again.
    let house = house.restart().await;
    house.later(2);
    house.run().await;
    assert_eq!((house.sent("shop").await, house.count("shop", OutboxState::Unknown).await), (2, 1));
}

/// Adds to an account's log what no release writes.
async fn spoil(store: &dyn Store, account: &AccountId, spoilt: &[(&'static str, String)]) {
    let stream = store.stream(account.clone(), 0).await.unwrap();
    let event = |(kind, payload): &(&'static str, String)| {
        let (payload, cause) = (payload.clone(), "test".to_owned());
        NewEvent { kind, payload, recorded_at: stream[0].recorded_at, cause }
    };
    let append = Append {
        account: account.clone(),
        partition: partition(account),
        expected_version: stream.len() as u64,
        events: spoilt.iter().map(event).collect(),
        snapshot: None,
        wake: Wake::Keep,
        inbox: Vec::new(),
        requests: Vec::new(),
        key: KeyChange::Keep,
        secrets: Vec::new(),
        forgets: Vec::new(),
        outbox: Vec::new(),
        held: Vec::new(),
        paylinks: Vec::new(),
        views: None,
    };
    store.commit(vec![append]).await.unwrap();
}

/// With messages to three debtors on their way, of whom one is spoilt.
async fn decided(spoilt: impl AsyncFn(&House, &AccountId)) -> (House, AccountId) {
    let mut house = House::new([None, None]);
    house.debtors("shop", 0, 3, DUE).await;
    house.engine.run_due().await.unwrap();
    let on: AccountId = "shop/D-1".parse().unwrap();
    spoilt(&house, &on).await;
    (house.restart().await, on)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_account_cannot_be_read_is_tried_again_later_and_others_leave() {
    let (house, on) = decided(async |house, on| {
        spoil(house.store(), on, &[("Unknown", "{}".to_owned())]).await;
    })
    .await;
    for hour in 1..=2 {
        house.run_messages().await;
        assert_eq!(house.sent("shop").await, 2);
        let aside = one(&house, OutboxState::Queued).await;
        assert_eq!((&aside.account, aside.attempts), (&on, hour));
        assert!(aside.detail.unwrap().contains("cannot be read"));
        assert_eq!(aside.next_at, house.clock.now() + SignedDuration::from_hours(1));
        house.later(1);
    }
    // One that a dead process left behind holds up no other that was left.
    let lease = Lease { holder: "dead".to_owned(), seconds: 0 };
    let queue = ("shop".parse().unwrap(), Channel::Email);
    let taken = house.store().take_outbox(queue, house.clock.now(), 9, lease).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(house.dispatcher.recover().await.unwrap(), 1);
    assert_eq!(one(&house, OutboxState::Queued).await.account, on);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_left_and_whose_account_panics_then_is_not_sent_again() {
    // Two claims whose cents together are more than a number can be.
    let (house, on) = decided(async |house, on| {
        let stream = house.store().stream(on.clone(), 0).await.unwrap();
        let issued = stream.iter().find(|event| event.kind == "InvoiceIssued").unwrap();
        let vast = |name: &str| {
            let mut event: AccountEvent = serde_json::from_str(&issued.payload).unwrap();
            let AccountEvent::InvoiceIssued { invoice, .. } = &mut event else { unreachable!() };
            invoice.invoice = name.parse().unwrap();
            invoice.amount.amount = Decimal::MAX / Decimal::from(200) + Decimal::ONE_HUNDRED;
            ("InvoiceIssued", serde_json::to_string(&event).unwrap())
        };
        spoil(house.store(), on, &[vast("V-1"), vast("V-2")]).await;
    })
    .await;
    house.run_messages().await;
    assert_eq!(house.sent("shop").await, 2);
    let aside = one(&house, OutboxState::Unknown).await;
    assert_eq!(aside.account, on);
    assert!(aside.detail.unwrap().contains("makes the program panic"));
    house.later(2);
    house.run_messages().await;
    assert_eq!((house.sent("shop").await, house.count("shop", OutboxState::Unknown).await), (2, 1));
}
