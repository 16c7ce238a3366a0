//! The fold-out with every line of what is owed.

use kulanz_domain::{
    fact::{DebtorKind, DisputeOutcome, Fact, Part},
    ids::{CreditId, DisputeId, InvoiceId, PaymentId},
    money::{Currency, Decimal, Money},
    statement::Statement,
};

use crate::house::*;

/// An amount as the German page writes it.
fn amount(shown: &str) -> Decimal {
    let plain = shown.replace(['.', '\u{a0}', '€', ' '], "").replace(',', ".");
    plain.replace('\u{2212}', "-").parse().unwrap_or_else(|_| panic!("{shown}"))
}

/// The amounts in the cells of a piece of a table.
fn amounts(html: &str) -> Vec<Decimal> {
    let cells = html.split("<td class=\"sum\">").skip(1);
    cells.map(|cell| amount(cell.split('<').next().unwrap())).collect()
}

/// The fold-out of the page, without what is around it.
fn fold_out(page: &Answer) -> String {
    let from = page.body.find("<details").unwrap_or_else(|| panic!("{}", page.body));
    let to = page.body.find("</details>").unwrap();
    page.body[from..to].to_owned()
}

/// What a reader adds up: each claim's lines to its foot, the feet to the sum of the page, and
/// what each payment was used for to the payment. The sum.
fn adds_up(page: &Answer) -> Decimal {
    let fold = fold_out(page);
    let (mut sum, mut used) = (Decimal::ZERO, 0);
    for table in fold.split("<table>").skip(1) {
        let (body, foot) = table.split_once("</tbody>").unwrap();
        if foot.contains("<tfoot>") {
            let open = amounts(foot)[0];
            assert_eq!(amounts(body).iter().sum::<Decimal>(), open, "{table}");
            sum += open;
            continue;
        }
        for row in body.split("<tr>").skip(2) {
            let parts = row.split("<li>").skip(1);
            let parts = parts.map(|part| amount(part.split_once('€').unwrap().0));
            assert_eq!(parts.sum::<Decimal>(), amounts(row)[0], "{row}");
            used += 1;
        }
    }
    assert_eq!(used > 0, fold.contains("verwendet</caption>"));
    let total = page.after("id=\"total\">");
    let total = total.strip_prefix("Offen sind ").unwrap().to_owned();
    assert_eq!(sum, amount(&total), "{fold}");
    sum
}

#[tokio::test]
async fn interest_is_told_with_its_days_its_rate_and_what_bore_it() {
    let house = House::with(Ladder::Charges, None).await;
    house.clock.set("2026-08-12T09:00:00Z".parse().unwrap());
    house.invoice_as("R-1", eur("1000.00"), "Gartenbank Eiche", true).await;
    house.payment_on("Z-1", eur("400.00"), Some("R-1"), day("2026-05-11")).await;
    let page = house.get(&house.link().await).await;
    let sum = adds_up(&page);
    assert_eq!(sum, house.open(Currency::EUR).await);
    let fold = fold_out(&page).replace('\u{a0}', " ");
    // Due on Friday, 6 March: default from the day after. The payment of May pays the interest
    // up to its day first.
    for told in [
        "Ihr Verzug begann am 7. März 2026, weil der Tag vorbei war, den wir fest vereinbart hatten.",
        "Zinsen vom 7.3.2026 bis 11.5.2026",
        "66 Tage auf 1.000,00 €, im Jahr 6,27 %. Das ist der Basiszins von 1,27 % plus 5 Punkte.",
        "Zinsen vom 12.5.2026 bis 30.6.2026",
        "Zinsen vom 1.7.2026 bis 12.8.2026",
        "im Jahr 6,52 %. Das ist der Basiszins von 1,52 % plus 5 Punkte.",
        "Zinsen sind bis zum 12. August 2026 gezählt.",
        "Ihre Zahlung, für Zinsen",
        "11,34 € für Zinsen der Rechnung R-1",
        "388,66 € für die Rechnung R-1",
    ] {
        assert!(fold.contains(told), "{told} in {fold}");
    }
    assert!(page.has("Zinsen bis 12. August 2026</th>"));
    let english = house.get(&format!("{}?lang=en", house.link().await)).await;
    for told in
        ["Interest from 7 Mar 2026 to 11 May 2026", "That is the base rate of 1.27% plus 5 points."]
    {
        assert!(english.has(told), "{told}");
    }
}

#[tokio::test]
async fn where_base_rates_end_the_page_says_so() {
    let house = House::with(Ladder::Charges, None).await;
    house.clock.set("2027-02-01T09:00:00Z".parse().unwrap());
    house.invoice_as("R-1", eur("1000.00"), "Gartenbank Eiche", true).await;
    let page = house.get(&house.link().await).await;
    adds_up(&page);
    assert!(page.has("Zinsen sind bis zum 31. Dezember 2026 gezählt."), "{}", page.body);
    assert!(page.has("Zinsen bis 31. Dezember 2026</th>"));
    assert!(page.has("Für die Tage danach ist der Basiszins noch nicht bekannt."));
}

#[tokio::test]
async fn without_interest_nothing_is_said_of_it() {
    let house = House::new().await;
    house.invoice_as("R-1", eur("30.00"), "Gartenbank Eiche", true).await;
    let page = house.get(&house.link().await).await;
    assert_eq!(adds_up(&page), eur("30.00").amount);
    assert!(!page.has("Zinsen") && !page.has("Verzug"), "{}", page.body);
    for exit in ["later", "plan", "help", "disagree", "paid"] {
        let form = house.get(&format!("{}/{exit}", house.link().await)).await;
        assert!(!form.has("Zinsen"), "{exit}");
    }
}

#[tokio::test]
async fn what_is_promised_about_interest_stands_where_interest_runs() {
    let house = House::with(Ladder::Charges, None).await;
    house.invoice_as("R-1", eur("150.00"), "Gartenbank Eiche", true).await;
    let link = house.link().await;
    for (path, told) in [
        ("", "Jeden Tag kommen Zinsen dazu"),
        ("/later", "kommen ab heute keine Zinsen dazu"),
        ("/plan", "Solange Sie die Raten zahlen, kommen keine Zinsen dazu."),
        ("/help", "In der Zeit können Zinsen dazukommen."),
        ("/disagree", "In der Zeit können Zinsen dazukommen."),
        ("/paid", "Für Ihr Geld zählt der Tag, an dem es bei uns ankam."),
    ] {
        let page = house.get(&format!("{link}{path}")).await;
        assert!(page.has(told), "{path}: {}", page.body);
    }
    // A promise keeps its word: until its day the sum stays as it is.
    let before = house.open(Currency::EUR).await;
    house.exit(&link, "later", &[("until", "2026-03-25")]).await;
    let page = house.get(&link).await;
    assert!(page.has("Zahlen Sie bis dahin alles, kommen keine Zinsen mehr dazu."));
    house.clock.set("2026-03-25T09:00:00Z".parse().unwrap());
    assert_eq!(house.open(Currency::EUR).await, before);
    assert_eq!(adds_up(&house.get(&link).await), before);
}

#[tokio::test]
async fn how_money_was_used_is_told_for_some_time_after_all_is_paid() {
    let house = House::with(Ladder::Charges, None).await;
    house.invoice("R-1", eur("30.00")).await;
    house.payment("Z-1", eur("37.77"), Some("R-1")).await;
    let link = house.link().await;
    let page = house.get(&link).await;
    let fold = fold_out(&page).replace('\u{a0}', " ");
    assert!(fold.contains("30,00 € für die Rechnung R-1"), "{fold}");
    assert!(fold.contains("7,77 € haben wir noch nicht verwendet"), "{fold}");
    assert!(!fold.contains("Ihr Verzug"));
    house.clock.set("2026-06-20T09:00:00Z".parse().unwrap());
    assert!(!house.get(&house.link().await).await.has("<details"));
}

#[tokio::test]
async fn a_claim_that_has_lost_a_payment_says_when_and_nothing_of_whose_it_is() {
    let house = House::new().await;
    house.invoice("R-1", eur("30.00")).await;
    house.invoice("R-2", eur("40.00")).await;
    house.payment("Z-1", eur("30.00"), Some("R-1")).await;
    let link = house.link().await;
    let said = "haben wir eine Zahlung anders zugeordnet, die wir hier angerechnet hatten.";
    assert!(!fold_out(&house.get(&link).await).contains(said));
    let payment = PaymentId::new("Z-1").unwrap();
    let to = format!("{}/SOMEBODY-ELSE", house.account.creditor).parse().unwrap();
    house.tell(Fact::PaymentAssigned { payment, to, invoice: None }).await;
    let page = house.get(&link).await;
    assert_eq!(adds_up(&page), eur("70.00").amount);
    let fold = fold_out(&page);
    let (first, second) = fold.split_once("R-2</caption>").unwrap();
    assert!(first.contains(said) && !second.contains(said), "{fold}");
    assert!(!page.has("SOMEBODY-ELSE"));
    let english = house.get(&format!("{link}?lang=en")).await;
    assert!(english.has("we assigned a payment elsewhere that we had counted here."));
    // Paid again, there is nothing to explain.
    house.payment("Z-2", eur("30.00"), Some("R-1")).await;
    assert!(!house.get(&link).await.has(said));
}

#[tokio::test]
async fn a_business_sees_what_the_lump_sum_is() {
    let house = House::with(Ladder::Charges, None).await;
    house.debtor_of(DebtorKind::Business, "de", false).await;
    house.invoice_as("R-1", eur("1000.00"), "Gartenbank Eiche", true).await;
    house.gateway_takes_all().await;
    house.on("2026-04-10T09:00:00Z").await;
    let page = house.get(&house.link().await).await;
    adds_up(&page);
    let fold = fold_out(&page);
    assert!(fold.contains("Kosten für unsere Mahnung"), "{fold}");
    // 40.00 less what the first Mahnung cost.
    let lump = "Pauschale für Firmen im Verzug (§ 288 (5) BGB)</td><td class=\"sum\">37,50";
    assert!(fold.contains(lump), "{fold}");
    assert!(fold.contains("Das ist der Basiszins von 1,27\u{a0}% plus 9 Punkte."), "{fold}");
}

#[tokio::test]
async fn what_was_paid_in_time_is_not_called_late() {
    let house = House::with(Ladder::Charges, None).await;
    house.invoice_as("R-1", eur("30.00"), "Gartenbank Eiche", true).await;
    house.payment_on("Z-1", eur("30.00"), Some("R-1"), day("2026-03-06")).await;
    let page = house.get(&house.link().await).await;
    assert!(fold_out(&page).contains("Ihre Zahlung") && !page.has("Verzug"), "{}", page.body);
    // Beside what is open it is not listed any more.
    house.invoice("R-2", eur("12.00")).await;
    let page = house.get(&house.link().await).await;
    assert_eq!(adds_up(&page), eur("12.00").amount);
    assert!(!fold_out(&page).contains("R-1"));
}

/// Numbers that look random and are the same in every run (Lehmer).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0 * 48271 % 0x7fff_ffff;
        self.0 % bound
    }

    fn money(&mut self, most: u64) -> Money {
        Money::new(Decimal::new(i64::try_from(1 + self.below(most)).unwrap(), 2), Currency::EUR)
    }

    fn day(&mut self) -> jiff::civil::Date {
        let days = i64::try_from(self.below(120)).unwrap();
        day("2026-03-08").checked_add(jiff::Span::new().days(days)).unwrap()
    }
}

/// An account on which all kinds of things happened.
async fn eventful(seed: u64) -> House {
    let house = House::with(Ladder::Charges, None).await;
    let mut numbers = Numbers(seed * 7919 + 1);
    if numbers.below(2) == 0 {
        house.debtor_of(DebtorKind::Business, "de", false).await;
    }
    let count = 1 + numbers.below(3);
    let claims: Vec<String> = (1..=count).map(|n| format!("R-{n}")).collect();
    for claim in &claims {
        let amount = numbers.money(200_000);
        house.invoice_as(claim, amount, "Gartenbank", numbers.below(2) == 0).await;
    }
    house.on("2026-04-02T09:00:00Z").await;
    house.on("2026-07-20T09:00:00Z").await;
    for number in 0..numbers.below(9) {
        let id = &claims[usize::try_from(numbers.below(count)).unwrap()];
        let invoice = InvoiceId::new(id).unwrap();
        let (on, some) = (numbers.day(), numbers.money(30_000));
        let payment = format!("Z-{number}");
        let part = match numbers.below(4) {
            0 => Some(Part::Interest),
            1 => Some(Part::Fees),
            2 => Some(Part::Principal),
            _ => None,
        };
        let amount = Some(some.amount).filter(|_| numbers.below(3) > 0);
        match numbers.below(8) {
            0 | 1 => house.payment_on(&payment, some, Some(id), on).await,
            2 => house.payment_on(&payment, some, None, on).await,
            3 => {
                house.payment_on(&payment, some, Some(id), on).await;
                let (payment, reason) = (PaymentId::new(&payment).unwrap(), "AC04".to_owned());
                let fee = Some(eur("3.10").amount);
                let back = Fact::PaymentReturned { payment, on, amount: None, reason, fee };
                house.tell(back).await;
            }
            4 => {
                let credit = CreditId::new(&format!("G-{number}")).unwrap();
                house.tell(Fact::InvoiceCredited { invoice, credit, on, amount: some }).await;
            }
            5 => house.tell(Fact::Waived { invoice, on, amount, part }).await,
            6 => house.tell(Fact::WrittenOff { invoice, on, amount, part }).await,
            _ => {
                let dispute = DisputeId::new(&format!("D-{number}")).unwrap();
                let opened = (dispute.clone(), invoice.clone());
                let (dispute_, invoice_) = opened;
                let opened =
                    Fact::DisputeOpened { dispute: dispute_, invoice: invoice_, on, amount };
                house.tell(opened).await;
                let outcome = DisputeOutcome::Upheld;
                house.tell(Fact::DisputeResolved { dispute, invoice, on, outcome, amount }).await;
            }
        }
    }
    house
}

#[tokio::test]
async fn page_statement_and_books_agree_on_many_accounts() {
    let (mut with_interest, mut with_fees, mut with_payments) = (0, 0, 0);
    for seed in 1..=24 {
        let house = eventful(seed).await;
        let page = house.get(&house.link().await).await;
        let account = house.loaded().await;
        let seat = house.engine.rules(&house.account).unwrap().creditor.seat();
        let statement = Statement::of(&account, Currency::EUR, seat, day("2026-07-20"));
        let open = house.open(Currency::EUR).await;
        assert_eq!(statement.open, open, "seed {seed}");
        if page.has("<details") {
            assert_eq!(adds_up(&page), open, "seed {seed}");
        } else {
            assert!(open.is_zero(), "seed {seed}");
        }
        with_interest += usize::from(page.has("Zinsen vom"));
        with_fees += usize::from(page.has("Kosten der Bank") || page.has("Kosten für unsere"));
        with_payments += usize::from(page.has("verwendet</caption>"));
    }
    let least = with_interest.min(with_fees).min(with_payments);
    assert!(least >= 5, "{with_interest} {with_fees} {with_payments}");
}
