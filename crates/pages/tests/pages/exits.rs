//! What debtors say, end to end.

use axum::http::StatusCode;
use kulanz_domain::{
    account::Standing,
    ids::InvoiceId,
    money::{Currency, Decimal},
};

use crate::house::*;

/// Sends a form twice at once and once more: what it did is there once.
async fn thrice(house: &House, link: &str, exit: &str, more: &[(&str, &str)]) -> Answer {
    let path = format!("{link}/{exit}");
    let fields = with(house.get(&path).await.hidden(&path), more);
    let (one, two) = tokio::join!(house.post(&path, &fields), house.post(&path, &fields));
    let again = house.post(&path, &fields).await;
    for answer in [&one, &two, &again] {
        assert_eq!(answer.location(), format!("{link}?done={exit}"), "{}", answer.body);
    }
    house.get(one.location()).await
}

async fn secret(house: &House, slot: &str) -> serde_json::Value {
    let loaded = house.engine.load(&house.account).await.unwrap().unwrap();
    let secrets = house.engine.secrets(&house.account, &loaded, &[slot]).await.unwrap();
    secrets[slot].clone()
}

#[tokio::test]
async fn already_paid_starts_a_search_once() {
    let house = House::new().await;
    house.invoice("R-1", eur("89.90")).await;
    let link = house.link().await;
    let said = [("on", "2026-03-12"), ("amount", "89,90"), ("reference", "RF <b>18</b>")];
    let page = thrice(&house, &link, "paid", &said).await;
    assert!(page.has("id=\"done\"") && page.has("Wir suchen Ihre Zahlung"));
    assert!(page.has("bis zum 26. März 2026"));
    assert_eq!(house.count("HoldPlaced").await, 1);
    let account = house.loaded().await;
    let (hold, placed) = account.holds.iter().next().unwrap();
    let placed = placed.placed.as_ref().unwrap();
    assert_eq!((placed.owner.as_str(), placed.until), ("payment-search", Some(day("2026-03-26"))));
    let told = secret(&house, &format!("hold/{hold}")).await;
    assert_eq!(told["paid_on"], "2026-03-12");
    assert_eq!(told["amount"], "89.90 EUR");
    assert_eq!(told["reference"], "RF <b>18</b>");
    let work = house.engine.store().work(Some("payment_search".into()), 10).await.unwrap();
    assert_eq!(work.len(), 1);
}

#[tokio::test]
async fn a_dispute_is_recorded_once_for_each_claim_with_its_reason_sealed() {
    let house = House::new().await;
    house.invoice("R-1", eur("30.00")).await;
    house.invoice("R-2", eur("20.00")).await;
    house.invoice("R-3", eur("10.00")).await;
    let link = house.link().await;
    let reason = "Die Bank war <b>kaputt</b>.\r\nIch habe sie zurückgeschickt.";
    let said = [("invoice", "R-1"), ("invoice", "R-3"), ("reason", reason)];
    let page = thrice(&house, &link, "disagree", &said).await;
    assert!(page.has("id=\"done\""));
    assert_eq!(house.count("DisputeOpened").await, 2);
    let account = house.loaded().await;
    let disputed = |id| account.claims[&InvoiceId::new(id).unwrap()].disputed();
    assert_eq!(["R-1", "R-2", "R-3"].map(disputed), [true, false, true]);
    let dispute = account.claims[&InvoiceId::new("R-1").unwrap()].disputes.keys().next().unwrap();
    let told = secret(&house, &format!("dispute/{dispute}")).await;
    assert_eq!(told["reason"], reason.replace("\r\n", "\n"));
    let events = house.engine.store().events_after(0, 1000).await.unwrap();
    assert!(events.iter().all(|event| !event.payload.contains("kaputt")), "no text in the log");
    // The last claim, from a new form; then there is nothing left to disagree with.
    let sent = house.exit(&link, "disagree", &[("invoice", "R-2"), ("reason", "Nein")]).await;
    assert_eq!(house.get(sent.location()).await.after("<h1>"), "Wir prüfen Ihren Einwand");
    assert_eq!(house.count("DisputeOpened").await, 3);
}

#[tokio::test]
async fn a_promise_names_a_day_and_rests_reminders_until_then() {
    let house = House::new().await;
    house.invoice("R-1", eur("30.00")).await;
    let link = house.link().await;
    let form = house.get(&format!("{link}/later")).await;
    assert!(form.has("min=\"2026-03-16\"") && form.has("max=\"2026-03-30\""));
    for (wrong, message) in [
        ("2026-03-31", "Der letzte Tag, der geht, ist der 30. März 2026."),
        ("2026-03-15", "Dieser Tag ist schon vorbei."),
        ("2026-02-30", "Geben Sie bitte einen Tag an"),
        ("", "Geben Sie bitte einen Tag an"),
        ("9999-99-99", "Geben Sie bitte einen Tag an"),
    ] {
        let sent = house.exit(&link, "later", &[("until", wrong)]).await;
        assert_eq!(sent.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(sent.has(message), "{wrong}: {}", sent.body);
        assert!(sent.after("<title>").starts_with("Fehler: "));
        assert!(sent.has("<a href=\"#until\">") && sent.has("id=\"until\""));
        assert!(sent.has("aria-describedby=\"until-hint until-error\" aria-invalid=\"true\""));
    }
    let page = thrice(&house, &link, "later", &[("until", "30.3.2026")]).await;
    assert_eq!(page.after("<h1>"), "Sie wollen bis zum 30. März 2026 zahlen");
    assert!(page.has("id=\"done\"") && page.has("id=\"pay\"") && !page.has("id=\"exit-later\""));
    assert_eq!(house.count("PromiseMade").await, 1);
    // A second promise is not possible; the way leads to what is true.
    let again = house.get(&format!("{link}/later")).await;
    assert_eq!(again.location(), link);
}

#[tokio::test]
async fn instalments_show_every_rate_before_the_yes_and_ask_for_the_next_one_after() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let form = house.get(&format!("{link}/plan?first=2026-03-20")).await;
    for shown in ["20. März 2026", "20. April 2026", "20. Mai 2026", "33,33", "33,34", "extra"] {
        assert!(form.has(shown), "{shown}");
    }
    assert!(form.has("3 Raten") && !form.has("6 Raten"), "six rates would be below the least");
    let path = format!("{link}/plan");
    let fields = form.hidden("/plan");
    let (one, two) = tokio::join!(house.post(&path, &fields), house.post(&path, &fields));
    assert_eq!(one.location(), two.location());
    assert_eq!(house.count("PlanAgreed").await, 1);
    let page = house.get(one.location()).await;
    assert_eq!(page.after("<h1>"), "Sie zahlen in Raten");
    assert_eq!(page.after("id=\"total\">"), "Offen sind 100,00 €");
    assert_eq!(page.after("id=\"pay-title-EUR\">"), "Jetzt 33,33 € zahlen");
    house.payment("Z-1", eur("40.00"), None).await;
    let page = house.get(&link).await;
    assert_eq!(page.after("id=\"pay-title-EUR\">"), "Jetzt 26,66 € zahlen");
    let rates = &page.body[page.body.find("id=\"rates\"").unwrap()..];
    let rates = rates[..rates.find("</table>").unwrap()].replace('\u{a0}', " ");
    let rows: Vec<&str> = rates.split("<tr>").skip(2).collect();
    for (row, shown) in rows.iter().zip([
        "20. März 2026</td><td class=\"sum\">33,33 €</td><td><strong>Erledigt</strong>",
        "20. April 2026</td><td class=\"sum\">33,33 €</td><td>Es fehlen noch 26,66 €",
        "20. Mai 2026</td><td class=\"sum\">33,34 €</td><td>Kommt noch",
        "In Summe</th><td class=\"sum\">100,00 €</td><td>Es fehlen noch 60,00 €",
    ]) {
        assert!(row.contains(shown), "{shown}: {row}");
    }
    house.payment("Z-2", eur("60.00"), None).await;
    assert_eq!(house.get(&link).await.after("<h1>"), "Es ist alles bezahlt");
    let plan = house.loaded().await.plans.into_values().next().unwrap();
    assert_eq!(plan.standing, Standing::Kept);
}

#[tokio::test]
async fn instalments_that_were_not_shown_are_not_agreed() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let path = format!("{link}/plan");
    let fields = house.get(&path).await.hidden("/plan");
    house.payment("Z-1", eur("10.00"), None).await;
    let sent = house.post(&path, &fields).await;
    assert_eq!(sent.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(sent.has("Die Summe oder der Tag passt nicht mehr."));
    let mut late = house.get(&path).await.hidden("/plan");
    late.iter_mut()
        .filter(|(name, _)| name == "first")
        .for_each(|field| field.1 = "2027-01-01".into());
    assert_eq!(house.post(&path, &late).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = house.get(&format!("{path}?first=2027-01-01")).await;
    assert!(wrong.has("Dieser Tag geht nicht."));
    assert_eq!(house.count("PlanAgreed").await, 0);
}

#[tokio::test]
async fn who_cannot_pay_gets_a_pause_and_a_person() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let form = house.get(&format!("{link}/help")).await;
    assert!(form.has("Schuldnerberatung Paderborn") && form.has("30 Tage"));
    let page = thrice(&house, &link, "help", &[("reason", "")]).await;
    assert_eq!(page.after("<h1>"), "Wir machen eine Pause");
    let hold = house.loaded().await.holds.into_values().next().unwrap().placed.unwrap();
    assert_eq!((hold.owner.as_str(), hold.until), ("hardship", Some(day("2026-04-15"))));
    assert_eq!(house.count("HoldPlaced").await, 1);
    assert_eq!(house.engine.store().work(Some("hardship".into()), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn wrong_input_records_nothing_and_is_named_at_its_field() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let before = house.traces().await;
    let long = "x".repeat(1001);
    type Wrong<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Wrong<'_>; 11] = [
        ("paid", &[("on", "")], "#on"),
        ("paid", &[("on", "2026-03-17")], "#on"),
        ("paid", &[("on", "0001-01-01")], "#on"),
        ("paid", &[("on", "2026-03-01"), ("amount", "-5")], "#amount"),
        ("paid", &[("on", "2026-03-01"), ("amount", "1e9")], "#amount"),
        ("paid", &[("on", "2026-03-01"), ("reference", &long)], "#reference"),
        ("disagree", &[("reason", "Nein")], "#invoice"),
        ("disagree", &[("invoice", "R-9"), ("reason", "Nein")], "#invoice"),
        ("disagree", &[("invoice", "R-1"), ("reason", " \r\n ")], "#reason"),
        ("disagree", &[("invoice", "R-1"), ("reason", &long)], "#reason"),
        ("help", &[("reason", &long)], "#reason"),
    ];
    for (exit, said, field) in cases {
        let sent = house.exit(&link, exit, said).await;
        assert_eq!(sent.status, StatusCode::UNPROCESSABLE_ENTITY, "{exit} {field}");
        assert!(sent.has(&format!("<a href=\"{field}\">")), "{exit} {field}");
        assert!(sent.has(&format!("id=\"{}\"", &field[1..])), "{exit} {field}");
    }
    assert_eq!(house.traces().await, before);
    // Exactly as long as it may be, in characters.
    let most = "ü".repeat(1000);
    house.exit(&link, "disagree", &[("invoice", "R-1"), ("reason", &most)]).await.location();
    assert_eq!(house.open(Currency::EUR).await, Decimal::from(100));
}

#[tokio::test]
async fn a_form_that_is_not_ours_or_too_old_is_not_taken() {
    let house = House::new().await;
    house.invoice("R-1", eur("100.00")).await;
    let link = house.link().await;
    let path = format!("{link}/help");
    let shown = house.get(&path).await.hidden(&path);
    let before = house.traces().await;
    for fields in [vec![], with(vec![], &[("nonce", "x"), ("version", "1")])] {
        let sent = house.post(&path, &fields).await;
        assert_eq!(sent.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(sent.has("zu lange offen"));
    }
    // Of another form of the same link.
    let other = format!("{link}/paid");
    assert_eq!(house.post(&other, &shown).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    house.clock.set(later(2));
    assert_eq!(house.post(&path, &shown).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(house.traces().await, before);
    house.clock.set(later(1));
    house.post(&path, &shown).await.location();
}
