//! The apology for a message that asked for too much.

use kulanz_domain::{
    fact::{Channel, DisputeOutcome, Fact, Receipt},
    ids::{DisputeId, InvoiceId},
};

use crate::house::*;

/// A Mahnung of 13 March 2026, nine in the morning in Berlin, about 89.90.
async fn dunned() -> House {
    let house = House::with(Ladder::Charges, None).await;
    house.clock.set("2026-03-09T09:00:00Z".parse().unwrap());
    house.invoice("R-1", eur("89.90")).await;
    house.on("2026-03-13T09:00:00Z").await;
    assert_eq!(house.count("NoticeSent").await, 1);
    house
}

fn apology(page: &Answer) -> Option<String> {
    let from = page.body.find("id=\"apology\"")?;
    let rest = &page.body[from..];
    Some(rest[..rest.find("</section>").unwrap()].replace('\u{a0}', " "))
}

#[tokio::test]
async fn a_message_about_what_was_paid_already_is_owned_up_to() {
    let house = dunned().await;
    let link = house.link().await;
    assert_eq!(apology(&house.get(&link).await), None);
    house.payment_on("Z-1", eur("89.90"), Some("R-1"), day("2026-03-12")).await;
    let page = house.get(&link).await;
    assert_eq!(page.after("<h1>"), "Es ist alles bezahlt");
    let told = apology(&page).unwrap();
    for sentence in [
        "In unserer Nachricht vom 13. März 2026 stand eine falsche Summe. Das tut uns leid.",
        "Für die Rechnung R-1 stand dort 89,90 €. Dabei war an dem Tag davon nichts mehr offen.",
        "Dafür müssen Sie nichts mehr zahlen. Unser Fehler kostet Sie nichts.",
    ] {
        assert!(told.contains(sentence), "{sentence} in {told}");
    }
    assert!(!told.contains("nicht mitgezählt"), "the message asked for nothing else");
    let english = house.get(&format!("{link}?lang=en")).await;
    assert!(english.has("The amount in our message of 13 March 2026 was wrong. We are sorry."));
}

#[tokio::test]
async fn of_an_amount_that_was_too_high_the_right_one_is_told() {
    let house = dunned().await;
    let invoice = InvoiceId::new("R-1").unwrap();
    let on = day("2026-03-12");
    house.tell(Fact::InvoiceAdjusted { invoice, on, amount: eur("50.00") }).await;
    let told = apology(&house.get(&house.link().await).await).unwrap();
    assert!(told.contains("Für die Rechnung R-1 stand dort 89,90 €. Richtig waren nur 50,00 €."));
    assert!(told.contains("Dafür sind jetzt noch 50,00 € offen. Unser Fehler kostet Sie nichts."));
    // The next Mahnung asks for the right amount: from then on that is what counts.
    house.on("2026-03-27T09:00:00Z").await;
    assert_eq!(house.count("NoticeSent").await, 2);
    assert_eq!(apology(&house.get(&house.link().await).await), None);
}

#[tokio::test]
async fn who_was_right_in_a_dispute_owes_neither_it_nor_its_costs() {
    let house = dunned().await;
    let (dispute, invoice) = (DisputeId::new("D-1").unwrap(), InvoiceId::new("R-1").unwrap());
    let on = day("2026-03-14");
    let (d, i) = (dispute.clone(), invoice.clone());
    house.tell(Fact::DisputeOpened { dispute: d, invoice: i, on, amount: None }).await;
    let outcome = DisputeOutcome::Upheld;
    house.tell(Fact::DisputeResolved { dispute, invoice, on, outcome, amount: None }).await;
    let told = apology(&house.get(&house.link().await).await).unwrap();
    assert!(told.contains("Dafür müssen Sie nichts mehr zahlen. Unser Fehler kostet Sie nichts."));
}

#[tokio::test]
async fn nobody_is_told_of_a_message_that_never_came() {
    let house = dunned().await;
    let notice = house.loaded().await.notices.keys().next().unwrap().clone();
    house.payment_on("Z-1", eur("89.90"), Some("R-1"), day("2026-03-12")).await;
    let link = house.link().await;
    assert!(apology(&house.get(&link).await).is_some());
    let (channel, at) = (Channel::Email, house.clock.now());
    house.tell(Fact::NoticeReceipt { notice, channel, at, receipt: Receipt::Bounced }).await;
    assert_eq!(apology(&house.get(&link).await), None);
}

#[tokio::test]
async fn money_that_crossed_a_message_is_nobodys_mistake() {
    let house = dunned().await;
    house.payment_on("Z-1", eur("89.90"), Some("R-1"), day("2026-03-13")).await;
    assert_eq!(apology(&house.get(&house.link().await).await), None);
}
