//! What the page offers a debtor who is, or was, a minor: to pay, to disagree and to ask for help, and
//! nothing that would be a contract.

use kulanz_domain::{
    Command,
    fact::{Fact, Invoice, Supply},
    ids::InvoiceId,
    money::{Currency, Decimal},
};

use crate::house::*;

const OFFERS: [&str; 3] = ["id=\"exit-paid\"", "id=\"exit-disagree\"", "id=\"exit-help\""];
const LATER: &str = "id=\"exit-later\"";
const PLAN: &str = "id=\"exit-plan\"";

/// A house with R-1 of 89.90, made on 18 February; the day is 16 March.
async fn bought() -> (House, String) {
    let house = House::new().await;
    house.invoice("R-1", eur("89.90")).await;
    let link = house.link().await;
    (house, link)
}

#[tokio::test]
async fn a_minor_may_pay_disagree_and_ask_for_help_and_is_offered_no_contract() {
    let (house, link) = bought().await;
    assert!(house.get(&link).await.has(LATER) && house.get(&link).await.has(PLAN));
    house.minor("de", "2027-06-01").await;
    let page = house.get(&link).await;
    assert_eq!(page.after("<h1>"), "Wir klären erst noch etwas");
    for shown in ["noch nicht 18", "Bis das klar ist, müssen Sie nicht", "Taschengeld", "Eltern"] {
        assert!(page.has(shown), "{shown}: {}", page.body);
    }
    assert!(page.has("id=\"pay\"") && OFFERS.iter().all(|offer| page.has(offer)));
    assert!(!page.has(LATER) && !page.has(PLAN));
    let english = house.get(&format!("{link}?lang=en")).await;
    assert_eq!(english.after("<h1>"), "We have to check something first");
    assert!(english.has("pocket money") && english.has("Your parents have to agree"));
    // Nor by address.
    for exit in ["later", "plan"] {
        assert_eq!(house.get(&format!("{link}/{exit}")).await.location(), link);
    }
}

#[tokio::test]
async fn a_form_that_was_open_before_agrees_to_nothing() {
    let (house, link) = bought().await;
    let (later, plan) = (format!("{link}/later"), format!("{link}/plan"));
    let promise = with(house.get(&later).await.hidden(&later), &[("until", "2026-03-30")]);
    let rates = house.get(&format!("{plan}?first=2026-03-20")).await.hidden("/plan");
    house.minor("de", "2027-06-01").await;
    assert_eq!(house.post(&later, &promise).await.location(), link);
    assert_eq!(house.post(&plan, &rates).await.location(), link);
    assert_eq!(house.count("PromiseMade").await + house.count("PlanAgreed").await, 0);
}

#[tokio::test]
async fn what_a_minor_pays_is_taken() {
    let (house, link) = bought().await;
    house.minor("de", "2027-06-01").await;
    let provider = house.to_provider(&link).await;
    let back = house.decide(&provider, "pay").await;
    assert_eq!(house.get(back.location()).await.after("<h1>"), "Ihr Geld ist da");
    assert_eq!(house.get(&link).await.after("<h1>"), "Es ist alles bezahlt");
    assert_eq!(house.open(Currency::EUR).await, Decimal::ZERO);
}

#[tokio::test]
async fn a_minor_disagrees_and_is_helped_like_anybody() {
    let (house, link) = bought().await;
    house.minor("de", "2027-06-01").await;
    let sent = house.exit(&link, "help", &[("reason", "")]).await;
    assert_eq!(house.get(sent.location()).await.after("<h1>"), "Wir machen eine Pause");
    let said = [("invoice", "R-1"), ("reason", "Das war ich nicht")];
    house.exit(&link, "disagree", &said).await.location();
    assert_eq!(house.count("DisputeOpened").await, 1);
}

#[tokio::test]
async fn what_the_parents_agreed_to_can_be_paid_and_not_promised() {
    let (house, link) = bought().await;
    house.minor("de", "2027-06-01").await;
    let admit = Command::Admit { invoice: InvoiceId::new("R-1").unwrap(), by: "ada".into() };
    house.engine.execute(&house.account, admit, "person:ada").await.unwrap();
    let page = house.get(&link).await;
    assert!(page.after("<h1>").starts_with("Ihre offene Rechnung"));
    assert!(page.has("id=\"pay\"") && page.has("bis Sie 18 sind"));
    assert!(!page.has(LATER) && !page.has(PLAN) && !page.has("noch nicht 18"));
}

#[tokio::test]
async fn who_came_of_age_promises_and_plans_only_what_they_bought_since() {
    let (house, link) = bought().await;
    house.minor("de", "2026-03-01").await;
    let page = house.get(&link).await;
    assert_eq!(page.after("<h1>"), "Wir klären erst noch etwas");
    assert!(page.has("erst, wenn das klar ist") && !page.has("Eltern") && !page.has("Taschengeld"));
    assert!(page.has("id=\"pay\"") && !page.has(LATER) && !page.has(PLAN));
    let invoice = Invoice {
        invoice: InvoiceId::new("R-2").unwrap(),
        issued_on: day("2026-03-02"),
        due_on: day("2026-03-10"),
        amount: eur("120.00"),
        contract_on: Some(day("2026-03-02")),
        contract_object_known: true,
        contract_rate: None,
        received_on: None,
        due_date_agreed: false,
        late_payment_notice: false,
        supply: Supply::GoodsServices,
        consumer_credit: false,
    };
    house.tell(Fact::InvoiceIssued { invoice }).await;
    let page = house.get(&link).await;
    assert!(page.after("<h1>").starts_with("Ihre offenen Rechnungen"));
    assert_eq!(page.after("id=\"pay-title-EUR\">"), "Jetzt 120,00 € zahlen");
    assert_eq!(page.body.matches("Sie waren wohl noch nicht 18, als es dazu kam.").count(), 1);
    assert!(page.has("Davon müssen Sie 89,90\u{a0}€ jetzt nicht hier zahlen."));
    assert!(!page.has(LATER) && page.has(PLAN));
    let plan = house.get(&format!("{link}/plan")).await;
    assert!(plan.has("40,00\u{a0}€") && !plan.has("69,97"));
}

#[tokio::test]
async fn what_was_agreed_before_anybody_knew_is_not_asked_for() {
    let (house, link) = bought().await;
    let plan = house.get(&format!("{link}/plan?first=2026-03-20")).await.hidden("/plan");
    house.post(&format!("{link}/plan"), &plan).await.location();
    assert_eq!(house.get(&link).await.after("<h1>"), "Sie zahlen in Raten");
    house.minor("de", "2027-06-01").await;
    let page = house.get(&link).await;
    assert_eq!(page.after("<h1>"), "Wir klären erst noch etwas");
    assert_eq!(page.after("id=\"pay-title-EUR\">"), "Jetzt 89,90 € zahlen");
}
