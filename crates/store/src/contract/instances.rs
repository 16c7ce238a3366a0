//! Promises to several instances that work on the same data: whose a message is, whose a wake-up,
//! what memory may be behind, and who was first to change a setting.

use std::{collections::HashSet, sync::Arc};

use super::rows::*;
use crate::{
    Append, Held, Lease, OutboxChange, OutboxRow, OutboxState, Outcome, Partitions, Share, Store,
    Wake,
};

/// A lease that ran out as soon as it was made.
fn gone(holder: &str) -> Lease {
    Lease { holder: holder.to_owned(), seconds: 0 }
}

async fn one_message(store: &dyn Store) {
    commit(store, messages(&[message("shop/d1", "N-1", at(0))])).await;
}

/// Only who took a message goes on with it, for as long as the lease is renewed; a holder's own
/// is left to nobody but itself.
pub async fn a_message_under_a_lease_is_nobody_elses(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    one_message(&*store).await;
    assert_eq!(store.take_outbox(queue("shop"), at(1), 9, gone("a")).await.unwrap().len(), 1);
    let ids = |names: &[&str]| names.iter().map(|name| notice_id(name)).collect::<Vec<_>>();
    let both = ids(&["N-1", "N-2"]);
    assert_eq!(store.renew_lease(both.clone(), by("b")).await.unwrap(), [false, false]);
    assert_eq!(store.renew_lease(both, by("a")).await.unwrap(), [true, false]);
    assert_eq!(store.take_abandoned(9, by("b"), Vec::new()).await.unwrap(), []);
    assert_eq!(store.take_outbox(queue("shop"), at(99), 9, by("b")).await.unwrap(), []);
    let kept = vec![notice_id("N-1"), notice_id("N-2")];
    assert_eq!(store.take_abandoned(9, by("a"), kept).await.unwrap(), [], "not let go of");
    let own = store.take_abandoned(9, by("a"), vec![notice_id("N-2")]).await.unwrap();
    assert_eq!(own.iter().map(|row| row.attempts).collect::<Vec<_>>(), [1]);
}

/// What a dead holder left is taken over by one, and is the dead holder's no more.
pub async fn an_abandoned_message_is_taken_over_by_one(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let rows: Vec<OutboxRow> =
        (0..30).map(|n| message(&format!("shop/d{n}"), &format!("N-{n}"), at(0))).collect();
    commit(&*store, messages(&rows)).await;
    assert_eq!(store.take_outbox(queue("shop"), at(1), 99, gone("dead")).await.unwrap().len(), 30);
    let takers: Vec<_> = ["a", "b", "c"]
        .map(|holder| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut all: Vec<OutboxRow> = Vec::new();
                // Its own are handed out again, so that none may be asked for twice.
                all.extend(store.take_abandoned(12, by(holder), Vec::new()).await.unwrap());
                all
            })
        })
        .into();
    let mut taken = Vec::new();
    for taker in takers {
        taken.extend(taker.await.unwrap());
    }
    let distinct: HashSet<_> = taken.iter().map(|row| row.notice.clone()).collect();
    assert_eq!(taken.len(), distinct.len());
    assert!(taken.iter().all(|row| row.state == OutboxState::Sending && row.attempts == 1));
    taken.extend(store.take_abandoned(99, by("d"), Vec::new()).await.unwrap());
    assert_eq!(taken.len(), 30);
    let renewed = store.renew_lease(vec![notice_id("N-7")], by("dead")).await.unwrap();
    assert_eq!(renewed, [false]);
}

/// The leases of a process that ended are nobody's once they ran out, also for who opens next.
pub async fn a_lease_that_ran_out_is_gone_after_opening_again(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    one_message(&*store).await;
    assert_eq!(store.take_outbox(queue("shop"), at(1), 9, gone("dead")).await.unwrap().len(), 1);
    drop(store);
    let store = open().await;
    assert_eq!(store.take_abandoned(9, by("a"), Vec::new()).await.unwrap().len(), 1);
    assert_eq!(store.take_abandoned(9, by("b"), Vec::new()).await.unwrap(), []);
}

/// An append of somebody whose attempt was taken over, or has ended, loses as a whole and
/// touches nothing; others of its batch hold.
pub async fn an_attempt_that_was_taken_over_changes_nothing(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    one_message(&*store).await;
    assert_eq!(store.take_outbox(queue("shop"), at(1), 9, gone("a")).await.unwrap().len(), 1);
    let held = |holder: &str, attempt| {
        let holder = Some(holder.to_owned());
        vec![Held { notice: notice_id("N-1"), holder, attempt }]
    };
    let later = |held| Append {
        outbox: vec![OutboxChange::Move {
            notice: notice_id("N-1"),
            state: OutboxState::Queued,
            next_at: at(60),
            changed_at: at(2),
            detail: None,
        }],
        secrets: vec![secret("notice/N-1", "1", b"x")],
        held,
        ..append("shop/d1", 1, &[])
    };
    let lost = Outcome::NotHeld(notice_id("N-1"));
    for wrong in [held("b", 1), held("a", 2)] {
        let batch = vec![later(wrong), append("shop/other", 0, &[])];
        let outcomes = store.commit(batch).await.unwrap();
        assert_eq!(outcomes[0], lost);
        assert!(matches!(outcomes[1], Outcome::Committed { .. }));
    }
    assert_eq!(store.take_abandoned(9, by("b"), Vec::new()).await.unwrap().len(), 1);
    assert_eq!(store.commit(vec![later(held("a", 1))]).await.unwrap(), std::slice::from_ref(&lost));
    assert!(store.secrets(account("shop/d1"), Vec::new()).await.unwrap().is_empty());
    commit(&*store, vec![later(held("b", 1))]).await;
    assert_eq!(store.commit(vec![later(held("b", 1))]).await.unwrap(), [lost]);
    let row = store.outbox_row(notice_id("N-1")).await.unwrap().unwrap();
    assert_eq!((row.state, row.next_at), (OutboxState::Queued, at(60)));
}

/// Whoever decides on a message that waits, and who takes it, cannot both have it.
pub async fn a_message_that_waits_is_decided_on_only_until_it_is_taken(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    commit(&*store, messages(&[message("shop/d1", "N-1", at(0))])).await;
    commit(&*store, messages(&[message("shop/d2", "N-2", at(0))])).await;
    let waits = |name: &str, attempt| Held { notice: notice_id(name), holder: None, attempt };
    let discard = |name: &str, account: &str, attempt| Append {
        outbox: vec![OutboxChange::Move {
            notice: notice_id(name),
            state: OutboxState::Suppressed,
            next_at: at(0),
            changed_at: at(2),
            detail: None,
        }],
        held: vec![waits(name, attempt)],
        ..append(account, 1, &[])
    };
    commit(&*store, vec![discard("N-1", "shop/d1", 0)]).await;
    let taken = store.take_outbox(queue("shop"), at(1), 9, by("a")).await.unwrap();
    assert_eq!(taken.iter().map(|row| row.notice.as_str()).collect::<Vec<_>>(), ["N-2"]);
    let lost = Outcome::NotHeld(notice_id("N-2"));
    let discarded = store.commit(vec![discard("N-2", "shop/d2", 0)]).await.unwrap();
    assert_eq!(discarded, std::slice::from_ref(&lost));
    // Back in the queue it waits for another attempt: not as it did.
    let later = OutboxChange::Move {
        notice: notice_id("N-2"),
        state: OutboxState::Queued,
        next_at: at(60),
        changed_at: at(2),
        detail: None,
    };
    commit(&*store, vec![Append { outbox: vec![later], ..append("shop/d2", 1, &[]) }]).await;
    assert_eq!(store.commit(vec![discard("N-2", "shop/d2", 0)]).await.unwrap(), [lost]);
    commit(&*store, vec![discard("N-2", "shop/d2", 1)]).await;
    let row = store.outbox_row(notice_id("N-2")).await.unwrap().unwrap();
    assert_eq!(row.state, OutboxState::Suppressed);
}

/// Own wake-ups first; of others' only those that nobody takes, from their end.
pub async fn wake_ups_are_taken_by_whose_they_are_and_overdue_ones_by_anybody(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let due = |id: &str, partition, wake| Append {
        partition,
        wake: Wake::At(at(wake)),
        ..append(id, 0, &["{}"])
    };
    commit(
        &*store,
        vec![
            due("shop/d1", 1, 10),
            due("shop/d2", 2, 5),
            due("shop/d3", 1, 90),
            due("shop/d4", 63, 20),
            due("shop/d5", 2, 70),
            due("shop/d6", 0, 80),
        ],
    )
    .await;
    let taken = async |own: Partitions, overdue, limit| -> Vec<String> {
        let share = Share { own, overdue: at(overdue) };
        let due = store.due(at(80), share, limit).await.unwrap();
        due.into_iter().map(|(account, _)| account.debtor.to_string()).collect()
    };
    let own: Partitions = [1, 63].into_iter().collect();
    assert_eq!(taken(own, 0, 9).await, ["d1", "d4"]);
    assert_eq!(taken(own, 70, 9).await, ["d1", "d4", "d5", "d2"]);
    assert_eq!(taken(own, 70, 3).await, ["d1", "d4", "d5"]);
    assert_eq!(taken(own, 70, 1).await, ["d1"]);
    assert_eq!(taken(own, 99, 9).await, ["d1", "d4", "d6", "d5", "d2"]);
    assert_eq!(taken(Partitions::NONE, 5, 9).await, ["d2"]);
    assert_eq!(taken(Partitions::ALL, 0, 2).await, ["d2", "d1"]);
    assert_eq!(store.next_wake(own).await.unwrap(), Some(at(10)));
    assert_eq!(store.next_wake(own.others()).await.unwrap(), Some(at(5)));
    assert_eq!(store.next_wake(Partitions::NONE).await.unwrap(), None);
    assert_eq!(store.next_wake([5].into_iter().collect()).await.unwrap(), None);
}

/// Keys and versions come in the order in which they are asked for.
pub async fn a_look_tells_what_was_recorded_and_where_accounts_stand(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let one = Append { inbox: vec![key("bank", "1")], ..append("shop/d1", 0, &["1", "2"]) };
    commit(&*store, vec![one, append("shop/d2", 0, &["1"])]).await;
    let keys = vec![key("bank", "2"), key("bank", "1")];
    let accounts = vec![account("shop/d2"), account("shop/new"), account("shop/d1")];
    let seen = store.look(keys.clone(), accounts.clone()).await.unwrap();
    assert_eq!(seen, (vec![false, true], vec![1, 0, 2]));
    let keys_alone = store.look(keys, Vec::new()).await.unwrap();
    assert_eq!(keys_alone, (vec![false, true], vec![]));
    let accounts_alone = store.look(Vec::new(), accounts).await.unwrap();
    assert_eq!(accounts_alone, (vec![], vec![1, 0, 2]));
    assert_eq!(store.look(Vec::new(), Vec::new()).await.unwrap(), (vec![], vec![]));
}

/// Of several who change a setting from the same value, one does.
pub async fn a_setting_is_changed_only_from_what_it_was(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let text = |value: &str| Some(value.to_owned());
    let swap = async |expected: Option<&str>, value: Option<&str>| {
        let (expected, value) = (expected.map(str::to_owned), value.map(str::to_owned));
        store.swap_meta("in_force".to_owned(), expected, value).await.unwrap()
    };
    assert!(swap(None, None).await);
    assert!(!swap(Some("0"), Some("1")).await);
    assert!(swap(None, Some("1")).await);
    assert!(!swap(None, Some("2")).await && !swap(None, None).await);
    assert!(!swap(Some("0"), Some("2")).await && !swap(Some("0"), None).await);
    assert_eq!(store.meta("in_force".to_owned()).await.unwrap(), text("1"));
    assert!(swap(Some("1"), Some("2")).await);
    assert_eq!(store.meta("in_force".to_owned()).await.unwrap(), text("2"));
    let rivals: Vec<_> = (0..8)
        .map(|rival| {
            let (store, from) = (Arc::clone(&store), text("2"));
            tokio::spawn(async move {
                store.swap_meta("in_force".to_owned(), from, Some(format!("of {rival}"))).await
            })
        })
        .collect();
    let mut changed = 0;
    for rival in rivals {
        changed += u32::from(rival.await.unwrap().unwrap());
    }
    assert_eq!(changed, 1);
    let value = store.meta("in_force".to_owned()).await.unwrap();
    assert!(swap(value.as_deref(), None).await);
    assert_eq!(store.meta("in_force".to_owned()).await.unwrap(), None);
}
