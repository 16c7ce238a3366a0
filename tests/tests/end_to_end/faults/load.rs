//! What shops and banks say of some hundred accounts, drawn from a seed; and what each account
//! comes to, summed up from that alone, with nothing of Kulanz.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::{
    events::{day, debtor, event, invoice, payment},
    world::Dice,
};

/// What was sent of an invoice.
#[derive(Default)]
struct Claim {
    issued: Option<Decimal>,
    /// The newest new principal, by its stamp.
    adjusted: Option<(String, Decimal)>,
    cancelled: bool,
}

/// What was sent of an account.
#[derive(Default)]
struct Account {
    claims: BTreeMap<String, Claim>,
    credits: Vec<(String, Decimal)>,
    payments: BTreeMap<String, Decimal>,
    /// Of which payment how much went back; all of it where no amount was told.
    back: Vec<(String, Option<Decimal>)>,
}

impl Account {
    fn take(&mut self, event: &Value) {
        let data = &event["data"];
        let text = |member: &str| data[member].as_str().unwrap().to_owned();
        let amount = || text("amount").parse::<Decimal>().unwrap();
        match event["type"].as_str().unwrap() {
            "kulanz.invoice.issued.v1" => {
                self.claims.entry(text("invoice")).or_default().issued = Some(amount());
            }
            "kulanz.invoice.adjusted.v1" => {
                let claim = self.claims.entry(text("invoice")).or_default();
                let new = (event["time"].as_str().unwrap().to_owned(), amount());
                claim.adjusted = claim.adjusted.take().into_iter().chain([new]).max();
            }
            "kulanz.invoice.cancelled.v1" => {
                self.claims.entry(text("invoice")).or_default().cancelled = true;
            }
            "kulanz.invoice.credited.v1" => self.credits.push((text("invoice"), amount())),
            "kulanz.payment.received.v1" => drop(self.payments.insert(text("payment"), amount())),
            "kulanz.payment.returned.v1" => {
                self.back.push((text("payment"), data["amount"].is_string().then(amount)));
            }
            "kulanz.payment.refunded.v1" => self.back.push((text("payment"), Some(amount()))),
            _ => {}
        }
    }

    /// What is owed less what is had of theirs: whatever pays for what, the difference is this.
    fn owed(&self) -> Decimal {
        let known = |invoice: &String| {
            let claim = self.claims.get(invoice).filter(|claim| claim.issued.is_some());
            claim.filter(|claim| !claim.cancelled)
        };
        let principal: Decimal = self
            .claims
            .keys()
            .filter_map(known)
            .filter_map(|claim| claim.adjusted.as_ref().map(|new| new.1).or(claim.issued))
            .sum();
        let credits = self.credits.iter().filter(|(invoice, _)| known(invoice).is_some());
        let credited: Decimal = credits.map(|(_, amount)| amount).sum();
        let received: Decimal = self.payments.values().sum();
        let back = self.back.iter().filter_map(|(payment, amount)| {
            let whole = self.payments.get(payment)?;
            Some(amount.unwrap_or(*whole))
        });
        principal - credited - received + back.sum::<Decimal>()
    }
}

/// What each account owes less what is had of theirs, after these events in whatever order.
pub fn owed<'e>(events: impl IntoIterator<Item = &'e Value>) -> BTreeMap<String, Decimal> {
    let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
    for event in events {
        let account = event["subject"].as_str().unwrap().to_owned();
        accounts.entry(account).or_default().take(event);
    }
    accounts.into_iter().map(|(name, account)| (name, account.owed())).collect()
}

/// Everything of so many accounts, each event once, in a random order: payments before their
/// invoices, returns before their payments, debtors after all.
pub fn history(dice: &mut Dice, accounts: usize) -> Vec<Value> {
    let mut events: Vec<Value> = (0..accounts).flat_map(|number| one(dice, number)).collect();
    shuffle(dice, &mut events);
    events
}

pub fn shuffle<T>(dice: &mut Dice, items: &mut [T]) {
    for at in (1..items.len()).rev() {
        items.swap(at, dice.below(at as u64 + 1) as usize);
    }
}

fn text(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Whether so many of a hundred.
fn chance(dice: &mut Dice, of_hundred: u64) -> bool {
    dice.below(100) < of_hundred
}

fn one(dice: &mut Dice, number: usize) -> Vec<Value> {
    let account = format!("atelier/K-{number}");
    let about = |kind: &str, id: String, data: Value| {
        event(kind, &id, &account, &format!("{}T10:00:00Z", day(-5)), data)
    };
    let mut events = Vec::new();
    // Of some nobody says who they are: no message can go there.
    if chance(dice, 85) {
        let mobile = format!("+4477009{number:05}");
        events.push(debtor(&account, "sms", "x@example.org", &mobile));
    }
    for at in 0..=dice.below(3) {
        let claim = format!("R-{number}-{at}");
        let cents = 1_000 + dice.below(50_000);
        events.push(invoice(&account, &claim, &text(cents), &day(-10)));
        let mut least = cents;
        for new in 0..dice.below(7).saturating_sub(4) {
            let amount = 1_000 + dice.below(50_000);
            least = least.min(amount);
            let data = json!({ "invoice": claim, "on": day(-8), "amount": text(amount),
                               "currency": "EUR", "reason": "weighed again" });
            let mut adjusted = about("invoice.adjusted", format!("adjusted-{claim}-{new}"), data);
            adjusted["time"] = json!(format!("{}T1{new}:00:00Z", day(-8)));
            events.push(adjusted);
        }
        match dice.below(12) {
            0 => {
                let data = json!({ "invoice": claim, "on": day(-6), "reason": "sent back" });
                events.push(about("invoice.cancelled", format!("cancelled-{claim}"), data));
            }
            1 | 2 => {
                let amount = text(1 + dice.below(least / 2));
                let data = json!({ "invoice": claim, "credit": format!("C-{claim}"),
                                   "on": day(-6), "amount": amount, "currency": "EUR",
                                   "reason": "one piece was broken" });
                events.push(about("invoice.credited", format!("credited-{claim}"), data));
            }
            _ => {}
        }
        // In part, in full, or too much.
        let paid = match dice.below(6) {
            0 => 1 + dice.below(cents),
            1 => cents,
            2 => cents + dice.below(2_000),
            _ => continue,
        };
        let name = format!("P-{number}-{at}");
        events.push(payment(&account, &name, &text(paid), &day(-4), &claim));
        match dice.below(8) {
            0 => {
                let data = json!({ "payment": name, "on": day(-2), "reason": "AM04" });
                events.push(about("payment.returned", format!("returned-{name}"), data));
            }
            1 => {
                let amount = text(1 + dice.below(paid));
                let data = json!({ "payment": name, "on": day(-2), "amount": amount,
                                   "reason": "MD06" });
                events.push(about("payment.returned", format!("returned-{name}"), data));
            }
            2 => {
                let amount = text(1 + dice.below(paid));
                let data = json!({ "payment": name, "on": day(-1), "amount": amount,
                                   "currency": "EUR" });
                events.push(about("payment.refunded", format!("refunded-{name}"), data));
            }
            _ => {}
        }
    }
    events
}

#[test]
fn the_sum_of_an_account_does_not_depend_on_the_order_and_is_right_by_hand() {
    let account = "atelier/K-1";
    let about = |kind: &str, id: &str, data: Value| event(kind, id, account, "2026-01-05", data);
    let new = |at: &str, amount: &str| {
        let data = json!({ "invoice": "R-1", "amount": amount });
        event("invoice.adjusted", at, account, at, data)
    };
    let mut events = vec![
        invoice(account, "R-1", "100.00", "2026-01-15"),
        invoice(account, "R-2", "50.00", "2026-01-15"),
        invoice(account, "R-3", "7.00", "2026-01-15"),
        new("2026-01-08", "80.00"),
        new("2026-01-09", "90.00"),
        about("invoice.credited", "c", json!({ "invoice": "R-2", "amount": "10.00" })),
        about("invoice.cancelled", "x", json!({ "invoice": "R-3" })),
        payment(account, "P-1", "90.00", "2026-01-20", "R-1"),
        payment(account, "P-2", "30.00", "2026-01-20", "R-2"),
        about("payment.returned", "r", json!({ "payment": "P-1" })),
        about("payment.refunded", "f", json!({ "payment": "P-2", "amount": "5.00" })),
        // Of an invoice and a payment that nobody knows.
        about("invoice.credited", "d", json!({ "invoice": "R-9", "amount": "10.00" })),
        about("payment.returned", "s", json!({ "payment": "P-9" })),
    ];
    for _ in 0..events.len() {
        events.rotate_left(1);
        // 90 + (50 - 10) + 0 - 90 - 30 + 90 + 5
        assert_eq!(owed(&events)[account], Decimal::new(10_500, 2));
    }
}
