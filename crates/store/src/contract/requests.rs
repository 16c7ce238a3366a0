//! Promises about commands that came with an idempotency key.

use std::sync::Arc;

use super::rows::{account, append, at, commit, key, paylink};
use crate::{Append, Outcome, RequestRow, Store};

fn request(number: u8, fingerprint: u8, seconds: i64) -> RequestRow {
    RequestRow {
        request: [number; 32],
        fingerprint: [fingerprint; 32],
        begun_at: at(seconds),
        answer: None,
    }
}

/// The same with an answer.
fn answered(number: u8, fingerprint: u8, seconds: i64) -> RequestRow {
    RequestRow { answer: Some(vec![fingerprint; 9]), ..request(number, fingerprint, seconds) }
}

/// An append that keeps these requests.
fn asked(id: &str, expected: u64, requests: &[RequestRow]) -> Append {
    Append { requests: requests.to_vec(), ..append(id, expected, &["{}"]) }
}

async fn events(store: &dyn Store, id: &str) -> usize {
    store.stream(account(id), 0).await.unwrap().len()
}

/// The second one hears of the first: that it runs, and then what came of it; also after opening
/// again.
pub async fn a_request_begins_once_and_keeps_its_answer(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let first = request(1, 7, 10);
    assert_eq!(store.begin_request(first.clone(), at(0)).await.unwrap(), None);
    let second = request(1, 8, 20);
    let told = store.begin_request(second.clone(), at(0)).await.unwrap();
    assert_eq!(told, Some(first.clone()), "it runs");
    assert_eq!(store.begin_request(request(2, 7, 20), at(0)).await.unwrap(), None);
    store.end_request([1; 32], Some(vec![0, 255, 7])).await.unwrap();
    drop(store);
    let store = open().await;
    let kept = RequestRow { answer: Some(vec![0, 255, 7]), ..first };
    assert_eq!(store.begin_request(second, at(0)).await.unwrap(), Some(kept));
    let other = store.begin_request(request(2, 9, 30), at(0)).await.unwrap();
    assert_eq!(other, Some(request(2, 7, 20)), "the answer of another one is not its own");
}

/// What failed by a fault of ours, or is older than asked for, may be asked as if for the first
/// time.
pub async fn a_request_that_is_forgotten_or_expired_begins_anew(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    store.begin_request(request(1, 7, 10), at(0)).await.unwrap();
    store.end_request([1; 32], None).await.unwrap();
    assert_eq!(store.begin_request(request(1, 8, 20), at(0)).await.unwrap(), None);
    store.end_request([1; 32], Some(vec![1])).await.unwrap();
    let kept = store.begin_request(request(1, 8, 30), at(19)).await.unwrap();
    assert_eq!(kept.and_then(|kept| kept.answer), Some(vec![1]));
    assert_eq!(store.begin_request(request(1, 9, 40), at(20)).await.unwrap(), None);
    // An answer to what nobody began any more is dropped.
    store.end_request([9; 32], Some(vec![9])).await.unwrap();
    assert_eq!(store.begin_request(request(9, 9, 50), at(0)).await.unwrap(), None);
}

/// However many ask at once, one of them does it.
pub async fn of_concurrent_requests_with_one_key_one_begins(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let asked: Vec<_> = (0..16)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.begin_request(request(1, number, 10), at(0)).await })
        })
        .collect();
    let mut first = Vec::new();
    let mut told = Vec::new();
    for (number, one) in (0..16).zip(asked) {
        match one.await.unwrap().unwrap() {
            None => first.push([number; 32]),
            Some(kept) => told.push(kept.fingerprint),
        }
    }
    assert_eq!((first.len(), told.len()), (1, 15));
    assert!(told.iter().all(|one| *one == first[0]));
}

/// What is asked for with a key and its answer are one append: an append that loses keeps no
/// answer, one that holds keeps it with all else, also after opening again and where it has no
/// event; older ones are forgotten.
pub async fn a_request_and_what_it_asks_for_are_kept_together_or_not_at_all(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let kept = async |store: &dyn Store, number| store.request([number; 32], at(0)).await.unwrap();
    let requests = [answered(1, 7, 10), answered(2, 8, 20)];
    let late = asked("shop/d1", 3, &requests);
    assert_eq!(store.commit(vec![late]).await.unwrap(), [Outcome::Conflict]);
    assert_eq!((kept(&*store, 1).await, kept(&*store, 2).await), (None, None));
    // Decided again on what the account is now.
    commit(&*store, vec![append("shop/d1", 0, &["1"]), asked("shop/d2", 0, &[])]).await;
    commit(&*store, vec![asked("shop/d1", 1, &requests)]).await;
    let link = paylink("shop/d2", 5);
    let only = vec![answered(3, 9, 30)];
    let without_events =
        Append { requests: only, paylinks: vec![link.clone()], ..append("shop/d2", 1, &[]) };
    commit(&*store, vec![without_events]).await;
    drop(store);
    let store = open().await;
    assert_eq!(kept(&*store, 1).await.as_ref(), Some(&requests[0]));
    assert_eq!(kept(&*store, 2).await.as_ref(), Some(&requests[1]));
    assert_eq!(kept(&*store, 3).await, Some(answered(3, 9, 30)));
    assert_eq!(store.paylink([5; 32]).await.unwrap(), Some(link));
    assert_eq!(events(&*store, "shop/d1").await, 2);
    assert_eq!(store.request([1; 32], at(10)).await.unwrap(), None, "it is too old");
    commit(&*store, vec![asked("shop/d1", 2, &[answered(1, 9, 40)])]).await;
    assert_eq!(store.request([1; 32], at(10)).await.unwrap(), Some(answered(1, 9, 40)));
    assert_eq!(store.request([2; 32], at(10)).await.unwrap().as_ref(), Some(&requests[1]));
}

/// In one batch or one after the other, on one account or several. Whoever comes later leaves
/// nothing behind, and what else it brought stays free for others.
pub async fn of_appends_with_one_request_the_first_takes_effect_and_no_other_is_touched(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    commit(&*store, vec![asked("shop/d1", 0, &[answered(1, 7, 10)])]).await;
    let with = |append, inbox: &[&str]| Append {
        inbox: inbox.iter().map(|id| key("bank", id)).collect(),
        ..append
    };
    let batch = vec![
        append("shop/d0", 0, &["1"]),
        // Its second request is taken: neither is the first one kept, nor its inbound event.
        with(asked("shop/d2", 0, &[answered(2, 8, 10), answered(1, 8, 10)]), &["1"]),
        with(asked("shop/d3", 0, &[answered(2, 9, 10)]), &["1"]),
        asked("shop/d4", 0, &[answered(2, 7, 10)]),
        // One that comes twice in itself loses alone as well.
        asked("shop/d5", 0, &[answered(5, 7, 10), answered(5, 7, 10)]),
        asked("shop/d1", 1, &[answered(1, 7, 10)]),
        append("shop/d6", 0, &["1"]),
    ];
    let outcomes = store.commit(batch).await.unwrap();
    let lost = |number: u8| Some(Outcome::AlreadyAnswered([number; 32]));
    let told: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| Some(outcome).filter(|it| !matches!(it, Outcome::Committed { .. })))
        .collect();
    assert_eq!(told, [None, lost(1), None, lost(2), lost(5), lost(1), None]);
    for (id, count) in [("d0", 1), ("d1", 1), ("d2", 0), ("d3", 1), ("d4", 0), ("d5", 0), ("d6", 1)]
    {
        assert_eq!(events(&*store, &format!("shop/{id}")).await, count, "{id}");
    }
    let kept = async |number| store.request([number; 32], at(0)).await.unwrap();
    assert_eq!(kept(1).await, Some(answered(1, 7, 10)));
    assert_eq!(kept(2).await, Some(answered(2, 9, 10)));
    assert_eq!(kept(5).await, None);
    assert_eq!(store.recorded(vec![key("bank", "1")]).await.unwrap(), [true]);
    commit(&*store, vec![asked("shop/d5", 0, &[answered(5, 7, 10)])]).await;
}

/// Whichever way the first one came; and once it is forgotten, the way is free.
pub async fn a_request_that_began_or_was_refused_takes_no_effect_beside_that(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    store.begin_request(request(1, 7, 10), at(0)).await.unwrap();
    assert_eq!(store.begin_request(answered(2, 8, 10), at(0)).await.unwrap(), None);
    for number in [1, 2] {
        let append = asked("shop/d1", 0, &[answered(number, 9, 20)]);
        let outcomes = store.commit(vec![append]).await.unwrap();
        assert_eq!(outcomes, [Outcome::AlreadyAnswered([number; 32])]);
    }
    assert_eq!(store.request([1; 32], at(0)).await.unwrap(), Some(request(1, 7, 10)));
    assert_eq!(store.request([2; 32], at(0)).await.unwrap(), Some(answered(2, 8, 10)));
    store.end_request([1; 32], None).await.unwrap();
    commit(&*store, vec![asked("shop/d1", 0, &[answered(1, 9, 20)])]).await;
    // And the other way round.
    let told = store.begin_request(answered(1, 7, 30), at(0)).await.unwrap();
    assert_eq!(told, Some(answered(1, 9, 20)));
}

/// However many servers do it, on whatever accounts; who comes with it to its batch notices nothing.
pub async fn of_concurrent_commits_with_one_request_one_takes_effect(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let calls: Vec<_> = (0..12u8)
        .map(|number| {
            let store = Arc::clone(&store);
            // In another order each time: none may wait for one that waits for it.
            let mut requests: Vec<_> = (1..=3).map(|key| answered(key, number, 10)).collect();
            requests.rotate_left(usize::from(number) % 3);
            let own = asked(&format!("shop/d{number}"), 0, &requests);
            let other = append(&format!("shop/other{number}"), 0, &["1"]);
            tokio::spawn(async move { store.commit(vec![own, other]).await.unwrap() })
        })
        .collect();
    let mut won = Vec::new();
    for (number, call) in (0..12).zip(calls) {
        let outcomes = call.await.unwrap();
        match outcomes[0] {
            Outcome::Committed { .. } => won.push(number),
            Outcome::AlreadyAnswered(_) => {}
            _ => panic!("{outcomes:?}"),
        }
        assert!(matches!(outcomes[1], Outcome::Committed { .. }), "{outcomes:?}");
    }
    assert_eq!(won.len(), 1);
    for key in 1..=3 {
        let kept = store.request([key; 32], at(0)).await.unwrap();
        assert_eq!(kept, Some(answered(key, won[0], 10)));
    }
    assert_eq!(store.events_after(0, 99).await.unwrap().len(), 13);
}
