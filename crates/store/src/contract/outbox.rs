//! Promises about messages on their way out.

use std::{collections::HashSet, sync::Arc};

use super::rows::*;
use crate::{Append, OutboxChange, OutboxRow, OutboxState, Store};

/// However many take at once, no message is handed out twice and none stays behind.
pub async fn a_message_is_taken_by_one_taker_only(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let rows: Vec<OutboxRow> =
        (0..60).map(|n| message(&format!("shop/d{n}"), &format!("N-{n}"), at(0))).collect();
    commit(&*store, messages(&rows)).await;
    let takers: Vec<_> = (0..6)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut taken: Vec<OutboxRow> = Vec::new();
                loop {
                    let more = store.take_outbox(queue("shop"), at(1), 4, by("one")).await.unwrap();
                    if more.is_empty() {
                        return taken;
                    }
                    taken.extend(more);
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for taker in takers {
        all.extend(taker.await.unwrap());
    }
    assert!(all.iter().all(|row| row.state == OutboxState::Sending && row.attempts == 1));
    let distinct: HashSet<_> = all.iter().map(|row| row.notice.clone()).collect();
    assert_eq!((all.len(), distinct.len()), (60, 60));
}

/// An attempt that began is known to whoever opens the data next.
pub async fn a_taken_message_stays_taken_after_opening_again(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    let decided = OutboxRow { traceparent, ..message("shop/d1", "N-1", at(0)) };
    commit(&*store, messages(std::slice::from_ref(&decided))).await;
    let taken = store.take_outbox(queue("shop"), at(5), 9, by("one")).await.unwrap();
    let expected =
        OutboxRow { state: OutboxState::Sending, attempts: 1, changed_at: at(5), ..decided };
    assert_eq!(taken, std::slice::from_ref(&expected));
    drop(store);
    let store = open().await;
    assert_eq!(store.outbox(Some(OutboxState::Sending), 9).await.unwrap(), [expected]);
    assert_eq!(store.take_outbox(queue("shop"), at(99), 9, by("one")).await.unwrap(), []);
}

/// `next_at` decides who goes first and who waits.
pub async fn messages_are_taken_when_due_and_earliest_first(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let rows = [("shop/d1", "N-1", 30), ("shop/d2", "N-2", 10), ("shop/d3", "N-3", 20)]
        .map(|(id, notice, next)| message(id, notice, at(next)));
    commit(&*store, messages(&rows)).await;
    let ids = async |until, limit| -> Vec<String> {
        let taken = store.take_outbox(queue("shop"), at(until), limit, by("one")).await.unwrap();
        taken.iter().map(|row| row.notice.to_string()).collect()
    };
    assert_eq!(ids(9, 9).await, Vec::<String>::new());
    assert_eq!(ids(25, 1).await, ["N-2"]);
    assert_eq!(ids(25, 9).await, ["N-3"]);
    assert_eq!(ids(30, 9).await, ["N-1"]);
}

/// A move changes state, next try and reason; lists are newest first.
pub async fn a_message_moves_and_is_listed_by_state(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let first = message("shop/d1", "N-1", at(0));
    let second = OutboxRow { step: None, ..message("shop/d2", "N-2", at(0)) };
    commit(&*store, messages(&[first.clone(), second.clone()])).await;
    assert_eq!(store.outbox(None, 9).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(store.outbox(None, 1).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.take_outbox(queue("shop"), at(1), 1, by("one")).await.unwrap().len(), 1);
    let move_to = |state, next_at| OutboxChange::Move {
        notice: notice_id("N-1"),
        state,
        next_at,
        changed_at: at(7),
        detail: Some("450 busy".to_owned()),
    };
    let retry =
        Append { outbox: vec![move_to(OutboxState::Queued, at(60))], ..append("shop/d1", 1, &[]) };
    commit(&*store, vec![retry]).await;
    let waiting = OutboxRow {
        attempts: 1,
        next_at: at(60),
        changed_at: at(7),
        detail: Some("450 busy".to_owned()),
        ..first
    };
    assert_eq!(store.outbox_row(notice_id("N-1")).await.unwrap(), Some(waiting.clone()));
    assert_eq!(store.outbox_row(notice_id("N-0")).await.unwrap(), None);
    let queued = store.outbox(Some(OutboxState::Queued), 9).await.unwrap();
    assert_eq!(queued, [second, waiting]);
    for state in [
        OutboxState::Sending,
        OutboxState::Sent,
        OutboxState::Suppressed,
        OutboxState::Parked,
        OutboxState::Unknown,
    ] {
        let change = Append { outbox: vec![move_to(state, at(60))], ..append("shop/d1", 1, &[]) };
        commit(&*store, vec![change]).await;
        let listed = store.outbox(Some(state), 9).await.unwrap();
        assert_eq!(listed.iter().map(|row| row.state).collect::<Vec<_>>(), [state]);
    }
    let last = store.take_outbox(queue("shop"), at(99), 9, by("one")).await.unwrap();
    assert_eq!(last.iter().map(|row| row.notice.as_str()).collect::<Vec<_>>(), ["N-2"]);
}

/// An account may decide a message and think better of it within one batch.
pub async fn a_message_may_be_put_and_moved_at_once_and_the_last_move_counts(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let row = message("shop/d1", "N-1", at(0));
    let move_to = |state, detail: Option<&str>| OutboxChange::Move {
        notice: notice_id("N-1"),
        state,
        next_at: at(3),
        changed_at: at(2),
        detail: detail.map(str::to_owned),
    };
    let outbox = vec![
        OutboxChange::Put(row.clone()),
        move_to(OutboxState::Parked, Some("refused")),
        move_to(OutboxState::Suppressed, None),
    ];
    commit(&*store, vec![Append { outbox, ..append("shop/d1", 0, &["{}"]) }]).await;
    let moved = OutboxRow {
        state: OutboxState::Suppressed,
        next_at: at(3),
        changed_at: at(2),
        detail: None,
        ..row
    };
    assert_eq!(store.outbox_row(notice_id("N-1")).await.unwrap(), Some(moved));
    assert_eq!(store.take_outbox(queue("shop"), at(9), 9, by("one")).await.unwrap(), []);
}
