//! What became of what the debtor had told us on the page.

use kulanz_domain::{fact::Fact, ids::HoldId};

use crate::house::*;

fn part(page: &Answer, id: &str) -> Option<String> {
    let from = page.body.find(&format!("id=\"{id}\""))?;
    let rest = &page.body[from..];
    Some(rest[..rest.find("</section>").unwrap()].replace('\u{a0}', " "))
}

/// An invoice that is due, and what was said about it on 16 March 2026.
async fn told(exit: &str, fields: &[(&str, &str)]) -> House {
    let house = House::with(Ladder::Charges, None).await;
    house.clock.set("2026-03-09T09:00:00Z".parse().unwrap());
    house.invoice("R-1", eur("89.90")).await;
    house.on("2026-03-16T09:00:00Z").await;
    assert_eq!(house.count("NoticeSent").await, 1);
    house.exit(&house.link().await, exit, fields).await.location();
    house
}

#[tokio::test]
async fn who_asked_for_help_and_was_not_answered_reads_so_until_somebody_answers() {
    let house = told("help", &[]).await;
    house.on("2026-04-15T09:00:00Z").await;
    let page = house.get(&house.link().await).await;
    assert_eq!(page.after("<h1>"), "Wir machen eine Pause");
    assert_eq!(part(&page, "unanswered"), None);
    house.on("2026-04-16T09:00:00Z").await;
    assert_eq!(house.count("HelpUnanswered").await, 1);
    assert_eq!(house.count("NoticeSent").await, 2);
    let link = house.link().await;
    let said = part(&house.get(&link).await, "unanswered").unwrap();
    for sentence in [
        "Am 16. März 2026 haben Sie uns gesagt, dass Sie nicht zahlen können.",
        "Soweit wir sehen, haben wir das nicht getan. Das tut uns leid.",
        &format!("<a href=\"{link}/help\">Noch einmal sagen: Ich kann nicht zahlen</a>"),
    ] {
        assert!(said.contains(sentence), "{sentence} in {said}");
    }
    let english = house.get(&format!("{link}?lang=en")).await;
    let said = part(&english, "unanswered").unwrap();
    assert!(said.contains("On 16 March 2026 you told us that you cannot pay."), "{said}");
    let list = |name: &str| house.engine.store().work(Some(name.to_owned()), 10);
    assert_eq!(list("help_unanswered").await.unwrap().len(), 1);
    assert_eq!(list("hardship").await.unwrap().len(), 0);
    // A person acts.
    let hold = list("help_unanswered").await.unwrap()[0].1.item.clone();
    house.tell(Fact::HoldReleased { hold: HoldId::new(&hold).unwrap() }).await;
    assert_eq!(part(&house.get(&link).await, "unanswered"), None);
    assert_eq!(list("help_unanswered").await.unwrap().len(), 0);
}

#[tokio::test]
async fn who_asks_again_is_on_pause_again() {
    let house = told("help", &[]).await;
    house.on("2026-04-16T09:00:00Z").await;
    let link = house.link().await;
    house.exit(&link, "help", &[]).await.location();
    let page = house.get(&link).await;
    assert_eq!(page.after("<h1>"), "Wir machen eine Pause");
    assert_eq!(part(&page, "unanswered"), None);
}

#[tokio::test]
async fn who_said_that_it_was_paid_reads_that_nothing_was_found_until_money_comes() {
    let house = told("paid", &[("on", "2026-03-10")]).await;
    house.on("2026-03-26T09:00:00Z").await;
    let link = house.link().await;
    assert_eq!(part(&house.get(&link).await, "not-found"), None, "somebody is looking");
    house.on("2026-04-01T09:00:00Z").await;
    assert_eq!(house.count("NoticeSent").await, 2, "the page says it also after the message");
    let said = part(&house.get(&link).await, "not-found").unwrap();
    for sentence in [
        "Am 16. März 2026 haben Sie uns gesagt, dass Sie schon gezahlt haben.",
        &format!("<a href=\"{link}/paid\">Noch einmal sagen: Ich habe schon gezahlt</a>"),
    ] {
        assert!(said.contains(sentence), "{sentence} in {said}");
    }
    house.payment_on("Z-1", eur("10.00"), None, day("2026-03-12")).await;
    assert_eq!(part(&house.get(&link).await, "not-found"), None);
}
