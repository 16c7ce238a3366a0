//! The brake, with the engine, a store in a folder, and a clock that is set by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aside;
mod house;

use house::{House, limits};
use kulanz_delivery::dispatcher::may_have_left;
use kulanz_domain::{
    brake::Limit,
    event::Suppression,
    fact::Channel,
    ids::{AccountId, CreditorId},
};
use kulanz_engine::{
    brake::{self, By, Discarded, NotPulled},
    store::{
        Lease,
        OutboxState::{Queued, Sending, Sent, Suppressed, Unknown},
    },
};

/// Due so that the reminder comes on 16 March.
const DUE: &str = "2026-03-12";

/// Why messages are discarded, and by whom.
const ADA: (Suppression, &str) = (Suppression::Braked, "person:ada");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_its_limit_it_stops_and_stays_pulled_until_a_person_releases_it() {
    let mut house = House::new([Some(limits(20, 0, 0)), None]);
    house.debtors("shop", 0, 30, DUE).await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.count("shop", Queued).await), (20, 10));
    let pulled = house.state("shop").await.pulled.unwrap();
    assert_eq!((pulled.by.limit, pulled.by.allowed, pulled.by.used), (Limit::PerHour, 20, 20));
    assert_eq!((pulled.waiting, pulled.at), (10, house.clock.now()));
    // Neither time nor a restart nor another day releases it.
    house.later(2);
    house.run().await;
    let mut house = house.restart().await;
    house.later(24);
    house.run().await;
    assert_eq!(house.sent("shop").await, 20);
    assert_eq!(house.state("shop").await.pulled.as_ref(), Some(&pulled), "pulled once");
    // Some, to look at; then some more.
    house.let_through("shop", 3).await;
    house.run().await;
    house.let_through("shop", 2).await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.is_pulled("shop").await), (25, true));
    // All that was decided until now, and what comes then is counted from nothing.
    assert_eq!(house.release("shop").await, 5);
    house.later(1);
    house.debtors("shop", 100, 30, DUE).await;
    house.run().await;
    assert_eq!(house.sent("shop").await, 30 + 20);
    assert!(house.is_pulled("shop").await);
    let mill = CreditorId::new("mill").unwrap();
    let by = By { person: "ada", at: house.clock.now(), key: None };
    let none = brake::release(house.store(), &mill, by).await.unwrap();
    assert_eq!(none, Err(NotPulled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_forgets_nothing_of_what_has_left() {
    let mut house = House::new([Some(limits(20, 0, 0)), None]);
    house.debtors("shop", 0, 15, DUE).await;
    house.run().await;
    assert!(!house.is_pulled("shop").await);
    let mut house = house.restart().await;
    house.debtors("shop", 100, 5, DUE).await;
    house.run().await;
    assert!(!house.is_pulled("shop").await, "reached, and nothing waits");
    let mut house = house.restart().await;
    house.debtors("shop", 200, 1, DUE).await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.is_pulled("shop").await), (20, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_later_the_hour_is_free_again_where_it_was_not_pulled() {
    let mut house = House::new([Some(limits(20, 0, 0)), None]);
    house.debtors("shop", 0, 20, DUE).await;
    house.run().await;
    house.later(1);
    house.clock.set(house.clock.now() + jiff::SignedDuration::from_secs(1));
    house.debtors("shop", 100, 20, DUE).await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.is_pulled("shop").await), (40, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_two_messages_counts_none_of_them_twice() {
    let mut house = House::new([Some(limits(20, 0, 0)), None]);
    house.debtors("shop", 0, 30, DUE).await;
    // Taken, and the process ends before anything else happens.
    let lease = Lease { holder: "dead".to_owned(), seconds: 60 };
    let (shop, now) = (CreditorId::new("shop").unwrap(), house.clock.now());
    let shop = (shop, Channel::Email);
    assert_eq!(
        house.store().take_outbox(shop.clone(), now, 7, lease.clone()).await.unwrap().len(),
        7
    );
    assert_eq!(house.count("shop", Sending).await, 7);
    let house = house.restart().await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.count("shop", Queued).await), (20, 10));
    // Pulled: what is taken without having left waits again.
    house.let_through("shop", 2).await;
    assert_eq!(house.store().take_outbox(shop, now, 2, lease).await.unwrap().len(), 2);
    let house = house.restart().await;
    assert_eq!((house.sent("shop").await, house.count("shop", Queued).await), (20, 10));
    house.run().await;
    assert_eq!((house.sent("shop").await, house.is_pulled("shop").await), (22, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_paid_while_it_waited_is_not_written_to_and_takes_nobodys_place() {
    let mut house = House::new([Some(limits(20, 0, 0)), None]);
    house.debtors("shop", 0, 30, DUE).await;
    house.run().await;
    let waiting = house.store().queued(CreditorId::new("shop").unwrap(), 99).await.unwrap();
    for (row, _) in &waiting[..6] {
        house.pays(&row.account.to_string()).await;
    }
    house.let_through("shop", 3).await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.count("shop", Suppressed).await), (23, 6));
    house.release("shop").await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.count("shop", Queued).await), (24, 0));
    for (row, _) in &waiting[..6] {
        let loaded = house.engine.load(&row.account).await.unwrap().unwrap();
        assert_eq!(loaded.account.notices.len(), 1);
        assert!(house.told_to(&row.account.to_string()).await.is_empty());
        let kept = house.store().secrets(row.account.clone(), Vec::new()).await.unwrap();
        assert!(kept.iter().all(|secret| !secret.slot.starts_with("notice/")), "of no use");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_creditors_brake_is_nothing_to_another() {
    let mut house = House::new([Some(limits(5, 0, 0)), Some(limits(0, 40, 0))]);
    house.debtors("shop", 0, 60, DUE).await;
    house.debtors("mill", 0, 35, DUE).await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.sent("mill").await), (5, 35));
    assert_eq!((house.is_pulled("shop").await, house.is_pulled("mill").await), (true, false));
    house.debtors("mill", 100, 10, DUE).await;
    house.run().await;
    assert_eq!(house.sent("mill").await, 40);
    let by = house.state("mill").await.pulled.unwrap().by;
    assert_eq!(by.limit, Limit::PerDay);
    house.release("mill").await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.sent("mill").await), (5, 45));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_the_creditors_also_where_it_has_23_hours() {
    // Debtors in Tokyo at noon; for their creditor in New York 8 March ends, which had 23 hours.
    let zones = ("America/New_York", "Asia/Tokyo");
    let mut house = House::in_zones([Some(limits(0, 20, 0)), None], zones);
    let due = "2026-03-01";
    house.at("2026-03-09T03:30:00Z");
    house.debtors("shop", 0, 15, due).await;
    house.run().await;
    house.at("2026-03-09T03:59:59Z");
    house.debtors("shop", 100, 5, due).await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.is_pulled("shop").await), (20, false));
    // Midnight in summer time. By winter time it would still be the 8th.
    house.at("2026-03-09T04:00:00Z");
    house.debtors("shop", 200, 20, due).await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.is_pulled("shop").await), (40, false));
    house.debtors("shop", 300, 1, due).await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.is_pulled("shop").await), (40, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_times_the_usual_stops_once_there_is_a_usual() {
    let mut house = House::new([Some(limits(0, 0, 2)), None]);
    // Without some days of history nothing is usual, and nothing unusual.
    for (number, day) in ["16", "17", "18", "19", "20"].into_iter().enumerate() {
        house.at(&format!("2026-03-{day}T09:00:00Z"));
        house.debtors("shop", 1000 * number as u32, 60, DUE).await;
        house.run().await;
    }
    assert_eq!((house.sent("shop").await, house.is_pulled("shop").await), (300, false));
    house.at("2026-03-23T09:00:00Z");
    house.debtors("shop", 9000, 130, DUE).await;
    house.run().await;
    assert_eq!(house.sent("shop").await, 300 + 120);
    let pulled = house.state("shop").await.pulled.unwrap();
    assert_eq!((pulled.by.limit, pulled.usual), (Limit::TimesUsual, Some(60)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_weeks_away_steps_come_in_order_one_a_day_and_the_brake_catches_the_crowd() {
    let mut house = House::new([Some(limits(40, 0, 0)), None]);
    house.debtors("shop", 0, 30, DUE).await;
    let first: AccountId = "shop/D-0".parse().unwrap();
    // A second claim of the same account: each has messages of its own (`bundle: claim`).
    house.invoice(&first, "S-1", "2026-03-13").await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.most_on_a_day().await), (30, 1));
    // Away for ten weeks, with new invoices that fell due meanwhile.
    house.debtors("shop", 100, 25, "2026-03-25").await;
    let house = house.restart().await;
    house.at("2026-05-26T09:00:00Z");
    house.run().await;
    assert_eq!((house.sent("shop").await, house.is_pulled("shop").await), (70, true));
    house.release("shop").await;
    house.run().await;
    assert_eq!((house.sent("shop").await, house.most_on_a_day().await), (85, 1));
    // Then day by day, with a person who lets everything pass.
    for day in 27..=31 {
        house.at(&format!("2026-05-{day}T09:00:00Z"));
        house.run().await;
    }
    for day in 1..=30 {
        house.at(&format!("2026-06-{day:02}T09:00:00Z"));
        house.run().await;
        if house.is_pulled("shop").await {
            house.release("shop").await;
            house.run().await;
        }
    }
    assert_eq!(house.most_on_a_day().await, 1);
    let steps = |told: &[(String, jiff::Timestamp)]| {
        told.iter().map(|(step, _)| step.clone()).collect::<Vec<_>>()
    };
    let old = house.told_to("shop/D-1").await;
    assert_eq!(steps(&old), ["reminder", "mahnung", "last-call"]);
    // Ten days were told, two more for money on its way; the policy asks for fourteen.
    let days = |from: usize| old[from + 1].1.duration_since(old[from].1).as_hours() / 24;
    assert!(days(0) > 60 && days(1) >= 14, "{old:?}");
    let new = house.told_to("shop/D-100").await;
    assert_eq!(steps(&new), ["reminder", "mahnung", "last-call"]);
    assert_eq!(steps(&house.told_to("shop/D-0").await).len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_discarded_is_an_event_and_the_ladder_decides_again() {
    let mut house = House::new([Some(limits(1, 0, 0)), None]);
    house.debtors("shop", 0, 2, DUE).await;
    house.run().await;
    let shop = CreditorId::new("shop").unwrap();
    let waiting = house.store().queued(shop.clone(), 9).await.unwrap().remove(0).0;
    let command = kulanz_domain::Command::Suppress {
        notice: waiting.notice.clone(),
        reason: Suppression::Braked,
    };
    house.engine.execute(&waiting.account, command, "person:ada").await.unwrap();
    let again = house.store().queued(shop, 9).await.unwrap().remove(0).0;
    assert_eq!(again.account, waiting.account);
    assert_ne!(again.notice, waiting.notice);
    let stream = house.store().stream(waiting.account, 0).await.unwrap();
    let discarded = stream.iter().find(|event| event.kind == "NoticeSuppressed").unwrap();
    assert!(discarded.payload.contains("braked") && discarded.cause == "person:ada");
}

/// Whoever discards has read what waits, and somebody takes a part of it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_let_through_a_moment_before_is_not_told_as_not_sent() {
    let mut house = House::new([Some(limits(1, 0, 0)), None]);
    house.debtors("shop", 0, 5, DUE).await;
    house.run().await;
    let shop = CreditorId::new("shop").unwrap();
    let waiting = house.store().queued(shop.clone(), 9).await.unwrap();
    assert_eq!(waiting.len(), 4);
    house.let_through("shop", 1).await;
    house.run_messages().await;
    let lease = Lease { holder: "another".to_owned(), seconds: 600 };
    let queue = (shop.clone(), Channel::Email);
    let now = house.clock.now();
    let leaving = house.store().take_outbox(queue, now, 1, lease).await.unwrap().remove(0);

    let mut ends = Vec::new();
    for (row, _) in waiting {
        let notice = row.notice.clone();
        let end = brake::discard(&house.engine, row, may_have_left, ADA).await.unwrap();
        let state = house.store().outbox_row(notice.clone()).await.unwrap().unwrap().state;
        match state {
            Suppressed => assert_eq!(end, Discarded::Done),
            Sending => assert_eq!((end, &notice), (Discarded::Left, &leaving.notice)),
            _ => assert_eq!((end, state), (Discarded::Left, Sent)),
        }
        ends.push(end);
    }
    ends.sort_unstable_by_key(|end| *end == Discarded::Left);
    assert_eq!(ends, [Discarded::Done, Discarded::Done, Discarded::Left, Discarded::Left]);
    let stream = house.store().stream(leaving.account, 0).await.unwrap();
    assert!(stream.iter().all(|event| event.kind != "NoticeSuppressed"));
    // What waits again after an attempt is discarded as it waits then.
    assert_eq!(house.count("shop", Queued).await, 2, "they were decided again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_left_before_it_waited_is_of_unknown_outcome() {
    let mut house = House::new([Some(limits(1, 0, 0)), None]);
    house.debtors("shop", 0, 2, DUE).await;
    house.run().await;
    let shop = CreditorId::new("shop").unwrap();
    let row = house.store().queued(shop, 9).await.unwrap().remove(0).0;
    let end = brake::discard(&house.engine, row.clone(), |_| true, ADA).await.unwrap();
    assert_eq!(end, Discarded::Unknown);
    let unknown = house.store().outbox_row(row.notice).await.unwrap().unwrap();
    assert_eq!(unknown.state, Unknown);
    let stream = house.store().stream(row.account, 0).await.unwrap();
    assert_eq!(stream.last().unwrap().kind, "NoticeParked");
}

/// A server may die before it answers: whoever asks again with the same key must not let more through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_comes_again_with_its_key_lets_nothing_more_through() {
    let mut house = House::new([Some(limits(1, 0, 0)), None]);
    house.debtors("shop", 0, 9, DUE).await;
    house.run().await;
    for _ in 0..3 {
        house.let_through_by("shop", 2, Some("one")).await;
        house.run_messages().await;
    }
    assert_eq!(house.sent("shop").await, 1 + 2);
    house.let_through_by("shop", 2, Some("two")).await;
    house.run_messages().await;
    assert_eq!(house.sent("shop").await, 1 + 4);
    // All of them; then it is pulled anew, and what waits by then nobody has looked at.
    let id = CreditorId::new("shop").unwrap();
    let by = By { person: "ada", at: house.clock.now(), key: Some("all") };
    assert_eq!(brake::release(house.store(), &id, by).await.unwrap(), Ok(4));
    house.run_messages().await;
    house.later(1);
    house.debtors("shop", 20, 3, DUE).await;
    house.run().await;
    assert!(house.is_pulled("shop").await);
    let sent = house.sent("shop").await;
    house.later(1);
    let by = By { at: house.clock.now(), ..by };
    assert_eq!(brake::release(house.store(), &id, by).await.unwrap(), Ok(4));
    assert!(house.is_pulled("shop").await);
    house.run_messages().await;
    assert_eq!(house.sent("shop").await, sent);
    // Keys are not kept for ever.
    house.later(49);
    house.let_through("shop", 1).await;
    house.let_through_by("shop", 1, Some("three")).await;
    assert_eq!(house.state("shop").await.ordered.len(), 1);
}
