//! Paying by card: one payment, whatever the provider's word does on its way.

use axum::http::StatusCode;
use kulanz_domain::money::{Currency, Decimal};
use kulanz_pages::{SettleError, Settled};

use crate::house::*;

fn checkout_of(provider: &str) -> &str {
    provider.split('?').next().unwrap().rsplit('/').next().unwrap()
}

async fn states(house: &House) -> Vec<String> {
    let rows = house.engine.store().checkouts(house.account.clone()).await.unwrap();
    let mut states: Vec<String> = rows.into_iter().map(|row| row.state).collect();
    states.sort();
    states
}

#[tokio::test]
async fn a_card_payment_settles_the_account() {
    let house = House::new().await;
    house.invoice("R-1", eur("89.90")).await;
    let link = house.link().await;
    let provider = house.to_provider(&link).await;
    let page = house.get(&provider).await;
    assert_eq!(page.after("id=\"total\">"), "89,90 €");
    assert!(page.has("id=\"pay\"") && page.has("id=\"fail\""));
    let back = house.decide(&provider, "pay").await;
    let returned = house.get(back.location()).await;
    assert_eq!(returned.after("<h1>"), "Ihr Geld ist da");
    assert!(returned.has("89,90\u{a0}€"));
    assert_eq!(house.get(&link).await.after("<h1>"), "Es ist alles bezahlt");
    assert_eq!(house.open(Currency::EUR).await, Decimal::ZERO);
    // Pressed again, opened again, asked again.
    assert_eq!(house.decide(&provider, "pay").await.location(), back.location());
    assert_eq!(house.get(&provider).await.location(), back.location());
    house.post(back.location(), &[]).await.location();
    assert_eq!(house.count("PaymentReceived").await, 1);
}

#[tokio::test]
async fn a_word_that_is_lost_is_fetched_and_one_that_comes_twice_counts_once() {
    let house = House::new().await;
    house.invoice("R-1", eur("89.90")).await;
    let link = house.link().await;
    let provider = house.to_provider(&link).await;
    let checkout = checkout_of(&provider).to_owned();
    assert_eq!(house.pages.settle_checkout(&checkout).await.unwrap(), Settled::NotPaid);
    let waiting = house.get(&format!("{link}/return/{checkout}")).await;
    assert!(waiting.has("Bis jetzt ist kein Geld bei uns angekommen."));
    let back = house.decide(&provider, "late").await.location().to_owned();
    let waiting = house.get(&back).await;
    assert_eq!(waiting.after("<h1>"), "Die Zahlung läuft noch");
    assert_eq!(house.count("PaymentReceived").await, 0);
    let (one, two, three) = tokio::join!(
        house.pages.settle_checkout(&checkout),
        house.pages.settle_checkout(&checkout),
        house.post(&back, &[]),
    );
    assert_eq!((one.unwrap(), two.unwrap()), (Settled::Booked, Settled::Booked));
    assert_eq!(house.get(three.location()).await.after("<h1>"), "Ihr Geld ist da");
    house.clock.set(later(3));
    assert_eq!(house.pages.settle_checkout(&checkout).await.unwrap(), Settled::Booked);
    assert_eq!(house.count("PaymentReceived").await, 1);
    let unknown = house.pages.settle_checkout("CO-unknown").await;
    assert!(matches!(unknown, Err(SettleError::Unknown(_))));
}

#[tokio::test]
async fn a_failed_payment_charges_nothing_and_can_be_tried_again() {
    let house = House::new().await;
    house.invoice("R-1", eur("89.90")).await;
    let link = house.link().await;
    let provider = house.to_provider(&link).await;
    let back = house.decide(&provider, "fail").await;
    let page = house.get(back.location()).await;
    assert_eq!(page.after("<h1>"), "Das hat nicht geklappt");
    assert!(page.has("Es wurde nichts abgebucht."));
    house.decide(&provider, "pay").await.location();
    assert_eq!(house.count("PaymentReceived").await, 0, "failed is failed");
    let again = house.to_provider(&link).await;
    assert_ne!(again, provider);
    house.decide(&again, "pay").await.location();
    assert_eq!(house.open(Currency::EUR).await, Decimal::ZERO);
}

#[tokio::test]
async fn a_changed_balance_voids_what_is_open_at_the_provider() {
    let house = House::new().await;
    house.invoice("R-1", eur("89.90")).await;
    let link = house.link().await;
    let provider = house.to_provider(&link).await;
    house.payment("Z-1", eur("50.00"), None).await;
    for page in [
        house.get(&provider).await,
        house.get(&format!("{link}/return/{}", checkout_of(&provider))).await,
        house.decide(&provider, "pay").await,
    ] {
        assert_eq!(page.after("<h1>"), "Der Stand ist nun ein anderer");
        assert!(page.has("Es wurde nichts abgebucht."));
    }
    assert_eq!(states(&house).await, ["void"]);
    assert_eq!(house.count("PaymentReceived").await, 1);
    let again = house.to_provider(&link).await;
    assert_eq!(house.get(&again).await.after("id=\"total\">"), "39,90 €");
}

#[tokio::test]
async fn a_form_that_shows_an_old_amount_starts_nothing() {
    let house = House::new().await;
    house.invoice("R-1", eur("89.90")).await;
    let link = house.link().await;
    let path = format!("{link}/pay/card");
    let fields = house.get(&link).await.hidden("/pay/card");
    house.payment("Z-1", eur("50.00"), None).await;
    let answer = house.post(&path, &fields).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.has("Es wurde nichts abgebucht."));
    assert_eq!(house.post(&path, &[]).await.status, StatusCode::CONFLICT);
    assert!(states(&house).await.is_empty());
    assert_eq!(
        house.post(&format!("{link}/pay/cash"), &fields).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn two_clicks_start_one_checkout_and_two_checkouts_take_money_once() {
    let house = House::new().await;
    house.invoice("R-1", eur("89.90")).await;
    let link = house.link().await;
    let path = format!("{link}/pay/card");
    let fields = house.get(&link).await.hidden("/pay/card");
    let (one, two) = tokio::join!(house.post(&path, &fields), house.post(&path, &fields));
    assert_eq!(one.location(), two.location());
    assert_eq!(states(&house).await, ["open"]);
    let provider = one.location();
    let (one, two) = tokio::join!(house.decide(provider, "pay"), house.decide(provider, "pay"));
    assert_eq!(one.location(), two.location());
    assert_eq!(house.count("PaymentReceived").await, 1);
}

#[tokio::test]
async fn what_was_promised_or_agreed_can_be_paid_by_card_too() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let path = format!("{link}/plan");
    let fields = house.get(&path).await.hidden("/plan");
    house.post(&path, &fields).await.location();
    let provider = house.to_provider(&link).await;
    assert_eq!(house.get(&provider).await.after("id=\"total\">"), "33,33 €");
    house.decide(&provider, "pay").await.location();
    assert_eq!(house.open(Currency::EUR).await, eur("66.67").amount);
    let page = house.get(&link).await;
    assert_eq!(page.after("id=\"pay-title-EUR\">"), "Jetzt 33,33 € zahlen");
}
