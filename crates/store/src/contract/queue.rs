//! Promises about what waits in the outbox and what left it, creditor by creditor.

use std::sync::Arc;

use kulanz_domain::{fact::Channel, ids::CreditorId};

use super::rows::*;
use crate::{Append, OutboxChange, OutboxRow, OutboxState, Store, Views};

fn moved(id: &str, notice: &str, state: OutboxState, seconds: i64) -> Append {
    let change = OutboxChange::Move {
        notice: notice_id(notice),
        state,
        next_at: at(seconds),
        changed_at: at(seconds),
        detail: None,
    };
    Append { outbox: vec![change], ..append(id, 1, &[]) }
}

/// Whatever waits at one creditor, another one's messages are found and taken.
pub async fn a_creditors_messages_are_taken_whatever_waits_at_another(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    assert_eq!(store.due_queues(at(99)).await.unwrap(), []);
    let rows = [
        message("zoo/d1", "N-1", at(0)),
        message("shop/d1", "N-2", at(1)),
        message("shop/d2", "N-3", at(0)),
        message("mill/d1", "N-4", at(50)),
        message("gone/d1", "N-5", at(0)),
    ];
    commit(&*store, messages(&rows)).await;
    commit(&*store, vec![moved("gone/d1", "N-5", OutboxState::Sent, 1)]).await;
    let due = async |seconds| {
        let due = store.due_queues(at(seconds)).await.unwrap();
        due.into_iter().map(named).collect::<Vec<String>>()
    };
    assert_eq!(due(-1).await, Vec::<String>::new());
    assert_eq!(due(9).await, ["shop email", "zoo email"]);
    assert_eq!(due(50).await, ["mill email", "shop email", "zoo email"]);
    let take = async |name: &str, limit| {
        let taken = store.take_outbox(queue(name), at(9), limit, by("one")).await.unwrap();
        taken.iter().map(|row| row.notice.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(take("mill", 9).await, Vec::<String>::new());
    assert_eq!(take("shop", 0).await, Vec::<String>::new());
    assert_eq!(take("shop", 1).await, ["N-3"]);
    assert_eq!(take("zoo", 9).await, ["N-1"]);
    assert_eq!(due(9).await, ["shop email"]);
    assert_eq!(take("shop", 9).await, ["N-2"]);
    assert_eq!(due(50).await, ["mill email"]);
}

fn named((creditor, channel): (CreditorId, Channel)) -> String {
    format!("{creditor} {}", channel.name())
}

/// However much waits for one channel, another one's messages are found and taken.
pub async fn a_channels_messages_are_taken_whatever_waits_for_another(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let by_sms = |row| OutboxRow { channel: Channel::Sms, ..row };
    let rows = [
        message("shop/d1", "N-1", at(0)),
        by_sms(message("shop/d2", "N-2", at(3))),
        by_sms(message("shop/d3", "N-3", at(2))),
        by_sms(message("mill/d1", "N-4", at(9))),
        OutboxRow { channel: Channel::Letter, ..message("mill/d2", "N-5", at(1)) },
    ];
    commit(&*store, messages(&rows)).await;
    let due = async |seconds| {
        let due = store.due_queues(at(seconds)).await.unwrap();
        due.into_iter().map(named).collect::<Vec<String>>()
    };
    let all = ["mill letter", "mill sms", "shop email", "shop sms"];
    assert_eq!(
        (due(9).await, due(2).await),
        (
            all.map(str::to_owned).to_vec(),
            ["mill letter", "shop email", "shop sms"].map(str::to_owned).to_vec(),
        )
    );
    let sms = (creditor("shop"), Channel::Sms);
    let taken = store.take_outbox(sms.clone(), at(9), 9, by("one")).await.unwrap();
    assert_eq!(taken.iter().map(|row| row.notice.as_str()).collect::<Vec<_>>(), ["N-3", "N-2"]);
    assert_eq!(store.take_outbox(sms, at(9), 9, by("one")).await.unwrap(), []);
    assert_eq!(due(9).await, ["mill letter", "mill sms", "shop email"]);
    let waiting = store.queued(creditor("mill"), 9).await.unwrap();
    let waiting: Vec<_> = waiting.iter().map(|(row, _)| row.notice.as_str()).collect();
    assert_eq!(waiting, ["N-5", "N-4"], "the list knows no channels");
}

/// What left, or may have, counts from the moment at which that was said; answers to a debtor's own
/// request, and what did not leave, never.
pub async fn what_left_is_counted_by_span_creditor_and_decision(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let decided = |id: &str, notice: &str, seconds| OutboxRow {
        decided_at: at(seconds),
        ..message(id, notice, at(0))
    };
    let rows = [
        decided("shop/d1", "N-1", 0),
        decided("shop/d2", "N-2", 5),
        decided("shop/d3", "N-3", 6),
        decided("shop/d4", "N-4", 7),
        decided("shop/d5", "N-5", 8),
        OutboxRow { step: None, ..decided("shop/d6", "N-6", 8) },
        decided("mill/d7", "N-7", 8),
    ];
    commit(&*store, messages(&rows)).await;
    commit(
        &*store,
        vec![
            moved("shop/d1", "N-1", OutboxState::Sent, 10),
            moved("shop/d2", "N-2", OutboxState::Unknown, 20),
            moved("shop/d3", "N-3", OutboxState::Parked, 20),
            moved("shop/d4", "N-4", OutboxState::Suppressed, 20),
            moved("shop/d6", "N-6", OutboxState::Sent, 20),
            moved("mill/d7", "N-7", OutboxState::Sent, 20),
        ],
    )
    .await;
    assert_eq!(store.take_outbox(queue("shop"), at(30), 9, by("one")).await.unwrap().len(), 1);
    let left = async |after: Option<i64>, spans: &[(i64, i64)]| {
        let spans = spans.iter().map(|(from, until)| (at(*from), at(*until))).collect();
        store.departures(creditor("shop"), after.map(at), spans).await.unwrap()
    };
    assert_eq!(
        left(None, &[(0, 99), (10, 20), (20, 30), (30, 31), (31, 99)]).await,
        [3, 1, 1, 1, 0]
    );
    assert_eq!(left(Some(0), &[(0, 99)]).await, [2]);
    assert_eq!(left(Some(5), &[(0, 99)]).await, [1]);
    assert_eq!(left(None, &[]).await, Vec::<u64>::new());
    let never = jiff::Timestamp::MAX;
    let all = store.departures(creditor("shop"), None, vec![(at(0), never)]).await.unwrap();
    assert_eq!(all, [3]);
}

/// The list says who waits for what; it has the order in which they will leave.
pub async fn what_waits_is_counted_and_listed_with_its_persona(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let rows = [
        OutboxRow { decided_at: at(3), ..message("shop/d1", "N-1", at(30)) },
        OutboxRow { decided_at: at(1), ..message("shop/d2", "N-2", at(10)) },
        OutboxRow { decided_at: at(2), ..message("shop/d3", "N-3", at(20)) },
        message("mill/d1", "N-4", at(0)),
    ];
    commit(&*store, messages(&rows)).await;
    let views = Views { notices: vec![notice("N-2", at(1))], ..Views::default() };
    commit(&*store, vec![Append { views: Some(views), ..append("shop/d2", 1, &[]) }]).await;
    let count = async |decided: Option<i64>, due: Option<i64>| {
        store.queued_count(creditor("shop"), decided.map(at), due.map(at)).await.unwrap()
    };
    assert_eq!((count(None, None).await, count(Some(2), None).await), (3, 2));
    assert_eq!((count(None, Some(20)).await, count(Some(1), Some(20)).await), (2, 1));
    assert_eq!(store.queued_count(creditor("none"), None, None).await.unwrap(), 0);
    let listed = store.queued(creditor("shop"), 9).await.unwrap();
    let order: Vec<_> = listed.iter().map(|(row, _)| row.notice.as_str()).collect();
    assert_eq!(order, ["N-2", "N-3", "N-1"]);
    assert_eq!((&listed[0].0, listed[0].1.as_deref()), (&rows[1], Some("forgetful")));
    assert_eq!(listed[1].1, None);
    assert_eq!(store.queued(creditor("shop"), 1).await.unwrap().len(), 1);
}

/// Whoever swaps sees what the one before left.
pub async fn of_two_that_change_a_setting_at_once_one_does(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let swap = async |old: Option<&str>, new: &str| {
        let old = old.map(str::to_owned);
        store.swap_meta("brakes".to_owned(), old, Some(new.to_owned())).await.unwrap()
    };
    assert!(!swap(Some("1"), "2").await);
    assert_eq!(store.meta("brakes".to_owned()).await.unwrap(), None);
    assert!(swap(None, "1").await);
    assert!(!swap(None, "2").await);
    assert!(swap(Some("1"), "2").await);
    assert!(!swap(Some("1"), "3").await);
    assert_eq!(store.meta("brakes".to_owned()).await.unwrap().as_deref(), Some("2"));
}
