//! The worked legal examples that apply while interest accrues nothing.

use kulanz_domain::{
    Account, AccountEvent,
    book::Book,
    claim::Claim,
    fact::*,
    ids::*,
    law::{DefaultGround, default_begins, default_by_notice},
    money::{Currency, Decimal},
    policy::Creditor,
};
use serde_json::Value;

use crate::world::*;

fn vectors(list: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../testdata/law.json")).unwrap();
    all[list].as_array().unwrap().clone()
}

fn money(value: &Value) -> Decimal {
    value.as_str().map_or(Decimal::ZERO, amount)
}

/// Puts a debt with costs charged a day before the payment on the account.
fn owes(account: &mut Account, name: &str, debt: &Value, due: &str, credit: bool) {
    let mut invoice = invoice(name, eur(debt["principal"].as_str().unwrap()), due);
    invoice.contract_rate = debt["rate"].as_str().map(amount);
    invoice.consumer_credit = credit;
    account.apply_event(&AccountEvent::InvoiceIssued { invoice, recorded_at: at("2025-01-01") });
    let costs = money(&debt["costs"]) + money(&debt["legal_costs"]);
    if costs > Decimal::ZERO {
        account.apply_event(&AccountEvent::FeeCharged {
            invoice: id(name),
            kind: kulanz_domain::event::FeeKind::Reminder,
            notice: NoticeId::new("N-1").unwrap(),
            on: day("2025-12-31"),
            amount: costs,
        });
    }
}

#[test]
fn payments_go_where_the_law_sends_them() {
    let mut seen = 0;
    let allocations = vectors("allocation");
    // Interest that grows between payment and statement is another example.
    for vector in allocations.iter().filter(|vector| vector["mode"] != "367(1)+interest") {
        let name = vector["id"].as_str().unwrap();
        let mut account = Account::default();
        let credit = vector["mode"] == "497(3)";
        let applied = &vector["expected"]["applied"];
        let by_claim: Vec<(String, Value)> = match vector["debts"].as_array() {
            Some(debts) => {
                for debt in debts {
                    let (id, due) = (debt["id"].as_str().unwrap(), &debt["due_date"]);
                    owes(&mut account, id, debt, due.as_str().unwrap(), credit);
                }
                applied.as_object().unwrap().clone().into_iter().collect()
            }
            None => {
                owes(&mut account, "A", &vector["debt"], "2025-01-15", credit);
                vec![("A".into(), applied.clone())]
            }
        };
        // Interest does not accrue yet: its share is left out of the payment.
        let interest: Decimal = by_claim.iter().map(|(_, parts)| money(&parts["interest"])).sum();
        account.apply_event(&AccountEvent::PaymentReceived {
            payment: PaymentId::new("P-1").unwrap(),
            booked_on: day("2026-01-01"),
            amount: kulanz_domain::money::Money::new(
                money(&vector["payment"]) - interest,
                Currency::EUR,
            ),
            method: "transfer".into(),
            invoice: None,
        });
        let book = Book::of(&account, Currency::EUR);
        for (claim, parts) in by_claim {
            let column = book.claim(&id(&claim)).unwrap();
            let costs = money(&parts["costs"]) + money(&parts["legal_costs"]);
            assert_eq!(column.paid, money(&parts["principal"]), "{name} {claim} principal");
            assert_eq!(column.fees_paid, costs, "{name} {claim} costs");
        }
        assert_eq!(book.unallocated, money(&vector["expected"]["overpaid"]), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
fn default_begins_on_the_day_that_the_law_says() {
    let mut seen = 0;
    for vector in vectors("default_start") {
        let (name, input) = (vector["id"].as_str().unwrap(), &vector["input"]);
        let state: kulanz_domain::calendar::Region =
            input["state"].as_str().unwrap().parse().unwrap();
        let creditor = Creditor { region: state, ..creditor() };
        let region = input["state"].as_str().map(str::to_owned);
        let debtor = DebtorProfile { region, ..consumer() };
        let text = |key: &str| input[key].as_str();
        let found = if let Some(due) = text("due") {
            let mut invoice = invoice("R-1", eur("10.00"), due);
            invoice.due_date_agreed = true;
            begins(invoice, &creditor, &debtor)
        } else if let Some(due) = text("due_and_invoice_received") {
            let mut invoice = invoice("R-1", eur("10.00"), due);
            (invoice.received_on, invoice.late_payment_notice) = (Some(day(due)), true);
            begins(invoice, &creditor, &debtor)
        } else if let Some(received) = text("reminder_received") {
            let on = day(received);
            Some((
                default_by_notice(on, Channel::Email, None, creditor.seat(), Some(&debtor)),
                DefaultGround::Notice,
            ))
        } else {
            let refused = day(text("refused_on").unwrap());
            let claim =
                Claim { default_declared: Some(refused.tomorrow().unwrap()), ..Claim::default() };
            default_begins(&claim, creditor.seat(), Some(&debtor))
        };
        let expected = vector["first_interest_day"].as_str().map(day);
        assert_eq!(found.map(|(day, _)| day), expected, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}

fn begins(
    invoice: Invoice,
    creditor: &Creditor,
    debtor: &DebtorProfile,
) -> Option<(jiff::civil::Date, DefaultGround)> {
    let claim = Claim { invoice: Some(invoice), ..Claim::default() };
    default_begins(&claim, creditor.seat(), Some(debtor))
}
