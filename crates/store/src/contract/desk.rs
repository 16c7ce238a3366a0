//! Promises about dead letters, tokens, policies, placements, checkouts and settings.

use std::sync::Arc;

use kulanz_domain::money::Currency;

use super::rows::*;
use crate::{CheckoutRow, DeadLetter, PlacementRow, PolicyRow, Store, TokenRow};

/// Numbers rise, a letter is closed once, and closed ones remain on record.
pub async fn a_dead_letter_is_numbered_listed_and_closed_once(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let letter = |origin: &str, account| DeadLetter {
        number: 0,
        received_at: at(0),
        origin: origin.to_owned(),
        reason: "malformed".to_owned(),
        detail: "/data/amount: not a decimal".to_owned(),
        sealed: vec![0, 255, 7],
        account,
        open: true,
    };
    let first = letter("http", None);
    let second = letter("file:a.ndjson:7", Some(account("shop/d1")));
    let numbers = store.put_dead_letters(vec![first.clone(), second.clone()]).await.unwrap();
    assert!(0 < numbers[0] && numbers[0] < numbers[1]);
    let first = DeadLetter { number: numbers[0], ..first };
    let second = DeadLetter { number: numbers[1], ..second };
    assert_eq!(store.dead_letters(true, 9).await.unwrap(), [first.clone(), second.clone()]);
    assert!(store.close_dead_letter(numbers[0]).await.unwrap());
    assert!(!store.close_dead_letter(numbers[0]).await.unwrap());
    assert!(!store.close_dead_letter(9_999).await.unwrap());
    assert_eq!(store.dead_letters(true, 9).await.unwrap(), std::slice::from_ref(&second));
    let closed = DeadLetter { open: false, ..first };
    assert_eq!(store.dead_letters(false, 9).await.unwrap(), [closed.clone(), second]);
    assert_eq!(store.dead_letters(false, 1).await.unwrap(), [closed]);
}

/// By hash alone; the same token twice is an error.
pub async fn a_token_is_found_by_its_hash(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let token = |first, creditor: Option<&str>, seconds| TokenRow {
        token_hash: [first; 32],
        person: "Mia Roth".to_owned(),
        role: "clerk".to_owned(),
        creditor: creditor.map(|id| id.parse().unwrap()),
        created_at: at(seconds),
    };
    let (one, two) = (token(1, Some("shop"), 1), token(2, None, 2));
    store.put_token(two.clone()).await.unwrap();
    store.put_token(one.clone()).await.unwrap();
    assert!(store.put_token(one.clone()).await.is_err());
    assert_eq!(store.token([1; 32]).await.unwrap(), Some(one.clone()));
    assert_eq!(store.token([3; 32]).await.unwrap(), None);
    assert_eq!(store.tokens().await.unwrap(), [one, two]);
}

/// Other content under a registered version gets back what was registered.
pub async fn the_first_content_of_a_policy_version_stays(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let policy = |version, hash: &str| PolicyRow {
        name: "shop-b2c".to_owned(),
        version,
        hash: hash.to_owned(),
        sources: r#"{"policy.yaml":"…"}"#.to_owned(),
        registered_at: at(i64::from(version)),
    };
    let first = policy(1, "aa");
    assert_eq!(store.register_policy(first.clone()).await.unwrap(), first);
    assert_eq!(store.register_policy(first.clone()).await.unwrap(), first);
    assert_eq!(store.register_policy(policy(1, "bb")).await.unwrap(), first);
    let second = policy(2, "bb");
    assert_eq!(store.register_policy(second.clone()).await.unwrap(), second);
    assert_eq!(store.policy("shop-b2c".to_owned(), 1).await.unwrap(), Some(first));
    assert_eq!(store.policy("shop-b2c".to_owned(), 3).await.unwrap(), None);
}

/// The last state counts; the one that changed last comes first.
pub async fn a_placement_is_put_and_moved(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let placement = |id: &str, state: &str, seconds| PlacementRow {
        placement: id.parse().unwrap(),
        account: account("shop/d1"),
        agency: "nordinkasso".to_owned(),
        state: state.to_owned(),
        changed_at: at(seconds),
    };
    store.put_placement(placement("P-1", "asked", 1)).await.unwrap();
    store.put_placement(placement("P-2", "asked", 2)).await.unwrap();
    store.put_placement(placement("P-1", "released", 3)).await.unwrap();
    let listed = store.placements().await.unwrap();
    assert_eq!(listed, [placement("P-1", "released", 3), placement("P-2", "asked", 2)]);
}

/// The last state counts; an account's checkouts are its own, newest first.
pub async fn a_checkout_is_put_and_moved(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let checkout = |id: &str, owner: &str, state: &str, seconds| CheckoutRow {
        checkout: id.to_owned(),
        account: account(owner),
        provider: "sandbox".to_owned(),
        amount: 8_990,
        currency: Currency::EUR,
        state: state.to_owned(),
        created_at: at(seconds),
        changed_at: at(seconds),
    };
    store.put_checkout(checkout("C-1", "shop/d1", "open", 1)).await.unwrap();
    store.put_checkout(checkout("C-2", "shop/d1", "open", 2)).await.unwrap();
    store.put_checkout(checkout("C-3", "shop/d2", "open", 3)).await.unwrap();
    let paid = checkout("C-1", "shop/d1", "paid", 1);
    store.put_checkout(paid.clone()).await.unwrap();
    assert_eq!(store.checkout("C-1".to_owned()).await.unwrap(), Some(paid.clone()));
    assert_eq!(store.checkout("C-9".to_owned()).await.unwrap(), None);
    let of_one = store.checkouts(account("shop/d1")).await.unwrap();
    assert_eq!(of_one, [checkout("C-2", "shop/d1", "open", 2), paid]);
}

/// A name has one value or none.
pub async fn a_setting_is_set_replaced_and_removed(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let name = || "served_from/lindenmoor".to_owned();
    assert_eq!(store.meta(name()).await.unwrap(), None);
    for value in ["2026-01-01", "2026-02-01"] {
        store.put_meta(name(), Some(value.to_owned())).await.unwrap();
        assert_eq!(store.meta(name()).await.unwrap().as_deref(), Some(value));
    }
    store.put_meta(name(), None).await.unwrap();
    assert_eq!(store.meta(name()).await.unwrap(), None);
}
