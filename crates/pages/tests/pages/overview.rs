//! What the page shows.

use axum::http::StatusCode;
use kulanz_domain::{
    fact::Fact,
    ids::{CreditId, DisputeId, InvoiceId, PaymentId},
    money::{Currency, Money},
};
use rqrr::PreparedImage;

use crate::house::*;

#[tokio::test]
async fn the_sum_and_its_lines_agree_with_the_books_to_the_cent() {
    let house = House::new().await;
    house.invoice("R-1", eur("1289.90")).await;
    house.invoice("R-2", eur("10.01")).await;
    let (invoice, credit) = (InvoiceId::new("R-1").unwrap(), CreditId::new("G-1").unwrap());
    let on = day("2026-03-12");
    house.tell(Fact::InvoiceCredited { invoice, credit, on, amount: eur("20.00") }).await;
    house.payment("Z-1", eur("100.33"), Some("R-1")).await;
    // A returned debit leaves the bank's fee behind.
    house.payment("Z-2", eur("10.01"), Some("R-2")).await;
    let payment = PaymentId::new("Z-2").unwrap();
    let fee = Some(eur("3.27").amount);
    let reason = "AC04".to_owned();
    house.tell(Fact::PaymentReturned { payment, on, amount: None, reason, fee }).await;
    let page = house.get(&house.link().await).await;
    assert_eq!(page.status, StatusCode::OK);
    let open = house.open(Currency::EUR).await;
    assert_eq!(open, eur("1182.85").amount);
    assert_eq!(page.after("id=\"total\">"), "Offen sind 1.182,85 €");
    assert_eq!(page.after("id=\"owed-EUR\">"), "Um wie viel geht es?");
    // 1299.91 + 3.27 - 20.00 - 100.33 = 1182.85
    for line in ["1.299,91", "3,27", "\u{2212}20,00", "\u{2212}100,33", "1.182,85"] {
        assert!(page.has(&format!("<td class=\"sum\">{line}\u{a0}€</td>")), "{line}");
    }
    for shown in [
        "Lindenmoor &amp; Söhne",
        "Gartenbank Eiche",
        "R-1",
        "20. Februar 2026",
        "6. März 2026",
        "100,33\u{a0}€ am 10. März 2026",
        "Stand: 16. März 2026, 10:00 Uhr",
        "Schuldnerberatung Paderborn",
        "mailto:hilfe@lindenmoor.example",
    ] {
        assert!(page.has(shown), "{shown} in {}", page.body);
    }
}

#[tokio::test]
async fn who_paid_nothing_is_not_thanked_for_it() {
    let house = House::new().await;
    house.invoice("R-1", eur("89.90")).await;
    let link = house.link().await;
    let (invoice, on) = (InvoiceId::new("R-1").unwrap(), day("2026-03-12"));
    house.tell(Fact::InvoiceCancelled { invoice, on }).await;
    let page = house.get(&link).await;
    assert_eq!(page.after("<h1>"), "Es ist nichts offen");
    assert!(!page.has("bezahlt") && !page.has("Danke"), "{}", page.body);
    // Money that came all the same is theirs, and there is nothing to pay with it.
    house.payment("Z-1", eur("89.90"), None).await;
    let page = house.get(&link).await;
    assert_eq!(page.after("<h1>"), "Es ist alles bezahlt");
    assert!(page.has("89,90\u{a0}€ von Ihnen. Sagen Sie uns bitte"), "{}", page.body);
    assert!(!page.has("bevor Sie zahlen"));
}

/// The picture of the code as the page draws it, read back by a decoder.
fn decoded(page: &Answer) -> String {
    let svg = page.body.split("<svg ").nth(1).unwrap().split("</svg>").next().unwrap();
    let side: usize =
        svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let path = svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut dark = vec![false; side * side];
    for run in path.split('M').skip(1) {
        let (at, rest) = run.split_once('h').unwrap();
        let (x, y) = at.split_once(' ').unwrap();
        let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
        let length: usize = rest.split('v').next().unwrap().parse().unwrap();
        dark[y * side + x..y * side + x + length].fill(true);
    }
    const SCALE: usize = 4;
    let mut image = PreparedImage::prepare_from_greyscale(side * SCALE, side * SCALE, |x, y| {
        if dark[y / SCALE * side + x / SCALE] { 0 } else { 255 }
    });
    let grids = image.detect_grids();
    grids[0].decode().unwrap().1
}

#[tokio::test]
async fn the_giro_code_says_the_same_as_the_text_beside_it() {
    let house = House::new().await;
    house.invoice("R-2026-0041", eur("89.90")).await;
    let page = house.get(&house.link().await).await;
    let code = decoded(&page);
    let lines: Vec<&str> = code.lines().collect();
    let reference = lines[9];
    assert_eq!(
        lines,
        [
            "BCD",
            "002",
            "1",
            "SCT",
            "BYLADEM1001",
            "Lindenmoor GmbH",
            "DE02120300000000202051",
            "EUR89.90",
            "",
            reference
        ]
    );
    assert_eq!(kulanz_domain::reference::rf(reference).as_deref(), Ok(reference));
    assert!(reference.ends_with("R20260041"));
    let shown = page.after("Verwendungszweck</dt><dd class=\"copy\">");
    assert_eq!(shown.replace(' ', ""), reference);
    assert!(page.has("Daran erkennen wir: Es geht um Ihre Rechnung R-2026-0041."));
    assert_eq!(page.after("IBAN</dt><dd class=\"copy\">"), "DE02 1203 0000 0000 2020 51");
    assert_eq!(page.after("Betrag</dt><dd class=\"copy\">"), "89,90 €");
    let card = page.body.find("class=\"card pay-card\"").unwrap();
    assert!(card < page.body.find("class=\"card pay-transfer\"").unwrap(), "the persona's order");
}

#[tokio::test]
async fn each_currency_has_its_own_section_and_only_euros_a_code() {
    let house = House::new().await;
    house.invoice("R-1", eur("12.00")).await;
    house.invoice("R-2", Money::parse("1500.5", Currency::USD).unwrap()).await;
    let page = house.get(&house.link().await).await;
    assert_eq!(page.after("id=\"total\">"), "Offen sind 12,00 €");
    assert_eq!(page.after("id=\"total-USD\">"), "Offen sind 1.500,50 $");
    assert!(page.has("id=\"pay\"") && page.has("id=\"pay-USD\""));
    assert_eq!(page.body.matches("<svg").count(), 1);
    // Only where there is a code first are these another way.
    assert_eq!(page.body.matches("Oder geben Sie diese Daten").count(), 1);
    assert_eq!(page.body.matches("<p>Geben Sie diese Daten").count(), 1);
}

#[tokio::test]
async fn hostile_texts_stay_texts() {
    let house = House::new().await;
    let hostile = "<script>alert(1)</script>\" onload=\"x \u{202e}{shop}";
    house.invoice_for("R-1", eur("5.00"), hostile).await;
    house.invoice_for("R-2", eur("5.00"), &"Ä<b>".repeat(5000)).await;
    let link = house.link().await;
    let page = house.get(&link).await;
    assert!(!page.has("<script") && !page.has("<b>") && !page.has("onload=\""));
    assert!(page.has("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;x {shop}"));
    // Typed into a form and shown again with an error.
    let sent = house.exit(&link, "disagree", &[("invoice", "\"><i>"), ("reason", hostile)]).await;
    assert_eq!(sent.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!sent.has("<script") && !sent.has("<i>"));
    // In the address.
    for path in ["/p/%3Cscript%3E", "/p/%FF%FE", "/p/x?lang=%3Cscript%3E", "/assets/%3Cscript%3E"] {
        let page = house.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!page.has("<script"));
    }
}

/// What the page of a state offers, in the order of the table.
fn offered(page: &Answer) -> Vec<&'static str> {
    let ids =
        ["total", "pay", "exit-paid", "exit-disagree", "exit-later", "exit-plan", "exit-help"];
    ids.into_iter().filter(|id| page.has(&format!("id=\"{id}\""))).collect()
}

const ALL: [&str; 7] =
    ["total", "pay", "exit-paid", "exit-disagree", "exit-later", "exit-plan", "exit-help"];

async fn check(house: &House, title: &str, may: &[&str]) {
    let link = house.link().await;
    let page = house.get(&link).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.after("<h1>"), title);
    assert_eq!(page.after("<title>"), title);
    assert_eq!(offered(&page), may, "{title}");
    assert!(page.has("id=\"contact\"") && page.has("id=\"counselling\""));
    if may.contains(&"total") {
        let total = page.after("id=\"total\">");
        let open = house.open(Currency::EUR).await;
        assert!(total.replace(',', ".").contains(&open.to_string()), "{total} {open}");
    }
    // What is not offered cannot be done all the same: the way leads back to what is true.
    for exit in ["paid", "disagree", "later", "plan", "help"] {
        let form = house.get(&format!("{link}/{exit}")).await;
        let allowed = may.contains(&format!("exit-{exit}").as_str());
        let status = if allowed { StatusCode::OK } else { StatusCode::SEE_OTHER };
        assert_eq!(form.status, status, "{title}: {exit}");
    }
}

#[tokio::test]
async fn every_state_says_what_is_true_and_offers_what_may_be_done() {
    let house = House::new().await;
    house.invoice("R-1", eur("150.00")).await;
    check(&house, "Ihre offene Rechnung bei Lindenmoor & Söhne", &ALL).await;

    let dispute = DisputeId::new("D-1").unwrap();
    let (invoice, on) = (InvoiceId::new("R-1").unwrap(), day("2026-03-15"));
    let opened = Fact::DisputeOpened { dispute: dispute.clone(), invoice, on, amount: None };
    house.tell(opened).await;
    check(&house, "Wir prüfen Ihren Einwand", &["total", "exit-paid", "exit-help"]).await;

    house.hold("hardship", Some("2026-04-10")).await;
    let may = ["total", "pay", "exit-paid"];
    let page = house.get(&house.link().await).await;
    assert!(!page.has("id=\"pay\""), "nothing undisputed is open");
    let invoice = InvoiceId::new("R-1").unwrap();
    let outcome = kulanz_domain::fact::DisputeOutcome::Rejected;
    house.tell(Fact::DisputeResolved { dispute, invoice, on, outcome, amount: None }).await;
    check(&house, "Wir machen eine Pause", &[&may[..], &["exit-disagree"]].concat()).await;

    house.hold("payment-search", Some("2026-03-26")).await;
    check(&house, "Wir suchen Ihre Zahlung", &["total", "exit-disagree", "exit-help"]).await;

    house.payment("Z-1", eur("150.00"), None).await;
    check(&house, "Es ist alles bezahlt", &["total"]).await;
}

#[tokio::test]
async fn an_old_hold_is_over_and_another_one_is_named() {
    let house = House::new().await;
    house.invoice("R-1", eur("150.00")).await;
    house.hold("hardship", Some("2026-03-15")).await;
    check(&house, "Ihre offene Rechnung bei Lindenmoor & Söhne", &ALL).await;
    house.hold("clerk", None).await;
    let may = ["total", "pay", "exit-paid", "exit-disagree", "exit-help"];
    check(&house, "Wir warten zurzeit", &may).await;
}

#[tokio::test]
async fn nobody_is_asked_for_money_after_insolvency_or_death() {
    for fact in [
        Fact::InsolvencyOpened { on: day("2026-03-01") },
        Fact::DebtorDeceased { on: day("2026-03-01") },
    ] {
        let house = House::new().await;
        house.invoice("R-1", eur("150.00")).await;
        house.tell(fact).await;
        check(&house, "Hier ist nichts zu tun", &[]).await;
        let page = house.get(&house.link().await).await;
        assert!(!page.has("150,00") && !page.has("Gartenbank"));
    }
}

#[tokio::test]
async fn who_acts_for_the_debtor_may_pay_and_disagree() {
    let house = House::new().await;
    house.invoice("R-1", eur("150.00")).await;
    house.debtor("de", true).await;
    let may = ["total", "pay", "exit-paid", "exit-disagree"];
    check(&house, "Offene Rechnungen bei Lindenmoor & Söhne", &may).await;
}

#[tokio::test]
async fn a_placed_claim_is_paid_to_the_agency() {
    let house = House::with(Ladder::HandsOff, None).await;
    house.invoice("R-1", eur("150.00")).await;
    let invoice = InvoiceId::new("R-1").unwrap();
    let ground = "refusal".to_owned();
    house.tell(Fact::DefaultDeclared { invoice, from: day("2026-03-07"), ground }).await;
    assert_eq!(house.count("PlacementReleased").await, 1);
    let may = ["total", "exit-paid", "exit-disagree", "exit-help"];
    check(&house, "Bitte zahlen Sie hier nicht mehr", &may).await;
    let page = house.get(&house.link().await).await;
    assert!(page.has("Nordinkasso GmbH") && page.has("Tel. 040 000"));
    assert!(!page.has("IBAN") && !page.has("<svg"));
    assert_eq!(page.body.matches("Nordinkasso GmbH").count(), 1);

    // A claim that came later is ours still; the one at the agency says whom to pay.
    house.invoice("R-2", eur("20.00")).await;
    let page = house.get(&house.link().await).await;
    assert_eq!(page.after("id=\"pay-title-EUR\">"), "Jetzt 20,00 € zahlen");
    assert!(page.after("an das Büro für Inkasso.</p><p>").starts_with("Nordinkasso GmbH"));
}

#[tokio::test]
async fn disputed_money_is_not_asked_for() {
    let house = House::new().await;
    house.invoice("R-1", eur("30.00")).await;
    house.invoice("R-2", eur("12.50")).await;
    let (dispute, invoice) = (DisputeId::new("D-1").unwrap(), InvoiceId::new("R-1").unwrap());
    let on = day("2026-03-15");
    house.tell(Fact::DisputeOpened { dispute, invoice, on, amount: None }).await;
    let page = house.get(&house.link().await).await;
    assert_eq!(page.after("id=\"total\">"), "Offen sind 42,50 €");
    assert_eq!(page.after("id=\"pay-title-EUR\">"), "Jetzt 12,50 € zahlen");
    assert!(page.has("Davon müssen Sie 30,00\u{a0}€ jetzt nicht hier zahlen."));
}

#[tokio::test]
async fn money_that_waits_is_told_of() {
    let house = House::new().await;
    house.invoice("R-1", eur("30.00")).await;
    house.payment("Z-1", eur("7.77"), Some("R-unknown")).await;
    let page = house.get(&house.link().await).await;
    assert!(page.after("id=\"credit\">").contains("7,77 €"));
    assert_eq!(page.after("id=\"total\">"), "Offen sind 30,00 €");
}

#[tokio::test]
async fn the_language_is_the_debtors_unless_switched_by_hand() {
    let house = House::new().await;
    house.invoice("R-1", eur("1234.50")).await;
    let link = house.link().await;
    let request = axum::http::Request::get(&link).header("accept-language", "en");
    let page = house.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert!(page.has("<html lang=\"de\">") && page.has("?lang=en\" lang=\"en\""));
    let page = house.get(&format!("{link}?lang=en")).await;
    assert!(page.has("<html lang=\"en\">"));
    assert_eq!(page.after("id=\"total\">"), "Open: €1,234.50");
    assert!(page.has(&format!("{link}/later?lang=en")), "the choice is kept");
    house.debtor("en-GB", false).await;
    assert!(house.get(&link).await.has("<html lang=\"en\">"));
    house.debtor("fr", false).await;
    assert!(house.get(&link).await.has("<html lang=\"de\">"), "the creditor's");
}
