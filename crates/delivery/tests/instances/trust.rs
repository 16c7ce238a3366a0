//! As long as nothing comes twice and nobody is overtaken, inbound events are decided without
//! asking the store first. Whatever happens then is found out when they are written.

use kulanz_domain::Refusal;
use kulanz_engine::Receipt;

use crate::{NO_SKEW, server, world::*};

/// After so many batches in which nothing happened nobody asks any more.
const QUIET: usize = 40;

/// An instance that does not ask, with a debtor `D` in its memory who owes 50 euros.
async fn trusting(url: &str, gateway: &std::sync::Arc<Gateway>) -> Instance {
    let instance = Instance::new(url, NO_SKEW, gateway).await;
    let facts = vec![told("p", "D", profile()), told("i", "D", issued("R-1", 5_000))];
    instance.engine.record(facts).await.unwrap();
    for batch in 0..QUIET {
        let name = format!("quiet-{batch}");
        let told = told(&name, &name, profile());
        assert_eq!(instance.engine.record(vec![told]).await.unwrap(), [Receipt::Accepted]);
    }
    instance
}

async fn owed(instance: &Instance) -> String {
    let claims = instance.store().claims(account("D")).await.unwrap();
    let [claim] = claims.as_slice() else { panic!("{claims:?}") };
    format!("{} of {}", claim.outstanding, claim.principal)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_twice_counts_once() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = trusting(&url, &gateway).await;
    let part = || told("z", "D", paid("Z-1", 1_000));
    assert_eq!(one.engine.record(vec![part()]).await.unwrap(), [Receipt::Accepted]);
    // Alone, and among others of which one is new.
    let again = vec![part(), told("z2", "D", paid("Z-2", 500)), told("new", "E", profile())];
    let told_again = [Receipt::Duplicate, Receipt::Accepted, Receipt::Accepted];
    assert_eq!(one.engine.record(again).await.unwrap(), told_again);
    assert_eq!(one.engine.record(vec![part()]).await.unwrap(), [Receipt::Duplicate]);
    assert_eq!(owed(&one).await, "3500 of 5000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_instance_recorded_counts_once_and_is_not_overwritten() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = trusting(&url, &gateway).await;
    let other = Instance::new(&url, NO_SKEW, &gateway).await;
    let part = || told("z", "D", paid("Z-1", 1_000));
    assert_eq!(other.engine.record(vec![part()]).await.unwrap(), [Receipt::Accepted]);
    // The first one's memory knows nothing of it.
    let facts = vec![told("z2", "D", paid("Z-2", 500)), part()];
    let receipts = one.engine.record(facts).await.unwrap();
    assert_eq!(receipts, [Receipt::Accepted, Receipt::Duplicate]);
    assert_eq!(owed(&one).await, "3500 of 5000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_what_the_store_says_and_takes_nothing_else_with_it() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = trusting(&url, &gateway).await;
    let contradicts = || told("i2", "D", issued("R-1", 7_000));
    let facts = vec![contradicts(), told("z", "D", paid("Z-1", 1_000))];
    let receipts = one.engine.record(facts).await.unwrap();
    let refusal =
        |receipt: &Receipt| matches!(receipt, Receipt::Refused(Refusal::Contradicts { .. }));
    assert!(refusal(&receipts[0]) && receipts[1] == Receipt::Accepted, "{receipts:?}");
    assert_eq!(owed(&one).await, "4000 of 5000");
}
