//! Promises about leases.

use std::sync::Arc;

use crate::Store;

/// One holder at a time, who may renew it and give it up; leases do not touch each other.
pub async fn a_lease_has_one_holder_until_it_is_given_up(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let lease = async |name: &str, holder: &str, seconds| {
        store.lease(name.to_owned(), holder.to_owned(), seconds).await.unwrap()
    };
    assert!(lease("handoff", "a", 600).await);
    assert!(lease("handoff", "a", 600).await);
    assert!(!lease("handoff", "b", 600).await);
    assert!(lease("webhooks", "b", 600).await);
    assert!(!lease("handoff", "b", 0).await);
    assert!(!lease("handoff", "b", 600).await);
    assert!(lease("handoff", "a", 0).await);
    assert!(lease("handoff", "b", 600).await);
    assert!(!lease("handoff", "a", 600).await);
}

/// Nobody has to be told that a holder died.
pub async fn a_lease_that_ran_out_is_taken_by_another(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let lease = async |holder: &str, seconds| {
        store.lease("handoff".to_owned(), holder.to_owned(), seconds).await.unwrap()
    };
    let began = std::time::Instant::now();
    assert!(lease("a", 1).await);
    while !lease("b", 600).await {
        assert!(began.elapsed().as_secs() < 30, "the lease never ran out");
        tokio::task::yield_now().await;
    }
    assert!(began.elapsed().as_millis() >= 900, "it was taken after {:?}", began.elapsed());
    assert!(!lease("a", 600).await);
}

/// However many ask at once, one gets it.
pub async fn of_many_who_want_a_lease_one_has_it(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    for round in 0..10 {
        let wanting: Vec<_> = (0..8)
            .map(|holder| {
                let store = Arc::clone(&store);
                let name = format!("handoff/{round}");
                tokio::spawn(async move { store.lease(name, holder.to_string(), 600).await })
            })
            .collect();
        let mut holders = 0;
        for wants in wanting {
            holders += u32::from(wants.await.unwrap().unwrap());
        }
        assert_eq!(holders, 1);
    }
}
