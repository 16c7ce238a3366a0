//! Promises about commands that came with an idempotency key.

use std::sync::Arc;

use super::rows::at;
use crate::{RequestRow, Store};

fn request(number: u8, fingerprint: u8, seconds: i64) -> RequestRow {
    RequestRow {
        request: [number; 32],
        fingerprint: [fingerprint; 32],
        begun_at: at(seconds),
        answer: None,
    }
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
