//! What must hold of every shop, whatever the seed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;
use serde_json::Value;

use super::*;

const SEED: u64 = 20_260_318;

fn lines(seed: u64) -> Vec<Value> {
    let today = date(2026, 11, 18);
    let events = generate(seed, today, 5).expect("a day of the calendar");
    events.iter().map(|event| serde_json::from_str(&event.line).expect("JSON")).collect()
}

fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let kind = format!("kulanz.{kind}.v1");
    events.iter().filter(|event| event["type"] == kind.as_str()).map(|e| &e["data"]).collect()
}

fn cents(value: &Value) -> i64 {
    let (whole, rest) = value.as_str().expect("a string").split_once('.').expect("two decimals");
    assert_eq!(rest.len(), 2, "{value}");
    whole.parse::<i64>().unwrap() * 100 + rest.parse::<i64>().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_another_shop() {
    let today = date(2026, 11, 18);
    let one = generate(SEED, today, 5).unwrap();
    assert_eq!(one, generate(SEED, today, 5).unwrap());
    assert_ne!(one, generate(SEED + 1, today, 5).unwrap());
}

#[test]
fn a_shop_has_three_hundred_debtors_nine_hundred_invoices_and_all_that_can_happen() {
    for seed in [1, 7, SEED] {
        let events = lines(seed);
        let between = |kind: &str, low: usize, high: usize| {
            let found = of_type(&events, kind).len();
            assert!((low..=high).contains(&found), "seed {seed}: {found} {kind}");
        };
        between("debtor.updated", 300, 305);
        between("invoice.issued", 900, 900);
        between("payment.received", 640, 800);
        between("payment.returned", 8, 20);
        between("payment.refunded", 1, 9);
        between("payment.failed", 4, 8);
        between("payment.assigned", 4, 7);
        between("dispute.opened", 8, 35);
        between("dispute.resolved", 5, 30);
        between("invoice.credited", 12, 20);
        between("invoice.cancelled", 3, 6);
        between("invoice.adjusted", 4, 7);
        between("invoice.rescheduled", 4, 8);
        between("debtor.insolvency_opened", 1, 1);
        between("debtor.deceased", 1, 1);
        between("hold.placed", 2, 2);
        between("hold.released", 1, 1);
    }
}

#[test]
fn every_line_is_one_event_of_the_contract_in_order_of_time() {
    let today = date(2026, 11, 18);
    let events = generate(SEED, today, 5).unwrap();
    assert!(events.is_sorted_by_key(|event| event.at));
    let mut ids = BTreeSet::new();
    for Event { at, line } in &events {
        assert!(!line.contains('\n'));
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(text(&event["time"]).parse::<Timestamp>().unwrap(), *at);
        assert!(ids.insert((text(&event["source"]), text(&event["id"]))), "{line}");
        let data = &event["data"];
        let subject = format!("{}/{}", text(&data["creditor"]), text(&data["debtor"]));
        assert_eq!(text(&event["subject"]), subject);
        let day = at.to_zoned(TimeZone::get("Europe/Berlin").unwrap()).date();
        assert!((date(2026, 6, 18)..=today).contains(&day), "{line}");
        for id in ["invoice", "payment", "credit", "dispute", "hold", "attempt", "debtor"] {
            if let Some(id) = data.get(id) {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
                assert!((1..=64).contains(&text(id).len()) && text(id).bytes().all(plain));
            }
        }
    }
}

#[test]
fn kulanz_reads_every_line_and_leaves_nothing_of_it_out() {
    for event in generate(SEED, date(2026, 11, 18), 5).unwrap() {
        let read = kulanz_wire::decode(event.line.as_bytes(), &kulanz_wire::DecodeOptions::STRICT);
        let read = read.unwrap_or_else(|why| panic!("{why:?}: {}", event.line));
        assert_eq!(read.at, event.at);
        assert!(read.ignored.is_empty(), "{:?}: {}", read.ignored, event.line);
    }
}

#[test]
fn no_cent_is_lost_or_made_up() {
    let events = lines(SEED);
    let mut invoices = BTreeMap::new();
    for invoice in of_type(&events, "invoice.issued") {
        let amount = cents(&invoice["amount"]);
        assert!((990..=89_000).contains(&amount), "{invoice}");
        assert!(invoices.insert(text(&invoice["invoice"]), amount).is_none(), "{invoice}");
        assert!(!text(&invoice["description"]).is_empty());
    }
    let mut payments = BTreeMap::new();
    let mut paid: BTreeMap<String, i64> = BTreeMap::new();
    for payment in of_type(&events, "payment.received") {
        let amount = cents(&payment["amount"]);
        assert!(amount > 0);
        assert!(payments.insert(text(&payment["payment"]), amount).is_none(), "{payment}");
        if let Some(invoice) = payment.get("invoice") {
            *paid.entry(text(invoice)).or_default() += amount;
        } else {
            assert_eq!(payment["debtor"], "_unmatched");
        }
    }
    for (invoice, paid) in &paid {
        // An invoice paid before it was written may lie beyond the last day.
        if let Some(amount) = invoices.get(invoice) {
            assert!(paid <= &(2 * amount + 1000), "{invoice}: {paid} for {amount}");
        }
    }
    for returned in of_type(&events, "payment.returned") {
        assert!(payments.contains_key(&text(&returned["payment"])));
        assert_eq!(returned["fee"], "3.00");
    }
    for refund in of_type(&events, "payment.refunded") {
        assert!(cents(&refund["amount"]) <= payments[&text(&refund["payment"])]);
    }
    for credit in of_type(&events, "invoice.credited") {
        assert!(cents(&credit["amount"]) <= invoices[&text(&credit["invoice"])]);
    }
    let all = |sums: &BTreeMap<String, i64>| sums.values().sum::<i64>();
    assert!(all(&payments) < all(&invoices));
}

#[test]
fn seven_of_ten_invoices_that_fell_due_were_paid_by_the_due_date_unasked() {
    for seed in [1, 7, SEED] {
        let events = lines(seed);
        let mut last_payment = BTreeMap::new();
        for payment in of_type(&events, "payment.received") {
            if let Some(invoice) = payment.get("invoice") {
                last_payment.insert(text(invoice), text(&payment["booked_on"]));
            }
        }
        let due: Vec<_> = of_type(&events, "invoice.issued")
            .into_iter()
            .filter(|invoice| text(&invoice["due_on"]).as_str() < "2026-11-01")
            .collect();
        let on_time = |invoice: &&&Value| {
            last_payment
                .get(&text(&invoice["invoice"]))
                .is_some_and(|on| *on <= text(&invoice["due_on"]))
        };
        let share = 100 * due.iter().filter(on_time).count() / due.len();
        assert!((66..=80).contains(&share), "seed {seed}: {share} %");
    }
}

#[test]
fn whoever_answers_reminders_has_no_payment_of_an_overdue_invoice_under_way() {
    let events = lines(SEED);
    let disturbed: BTreeSet<String> = ["dispute.opened", "invoice.rescheduled"]
        .iter()
        .flat_map(|kind| of_type(&events, kind))
        .map(|data| text(&data["invoice"]))
        .collect();
    let mut dues = BTreeMap::new();
    for invoice in of_type(&events, "invoice.issued") {
        dues.insert(text(&invoice["invoice"]), text(&invoice["due_on"]).parse::<Date>().unwrap());
    }
    let mut seen = BTreeSet::new();
    for payment in of_type(&events, "payment.received") {
        let debtor = text(&payment["debtor"]);
        let Some(invoice) = payment.get("invoice").map(text) else { continue };
        let answers = reacts(SEED, &debtor, "reminder", 1) != Reaction::Ignores;
        let first = seen.insert(invoice.clone());
        if answers && first && !disturbed.contains(&invoice) {
            let booked: Date = text(&payment["booked_on"]).parse().unwrap();
            // A direct debit due on a Saturday is booked on Monday, and by then collected.
            assert!(booked <= later(dues[&invoice], 3), "{payment}");
        }
    }
}

#[test]
fn debtors_are_many_kinds_of_people_and_none_can_be_reached() {
    let events = lines(SEED);
    let mut debtors: BTreeMap<String, &Value> = BTreeMap::new();
    for debtor in of_type(&events, "debtor.updated") {
        debtors.insert(text(&debtor["debtor"]), debtor);
    }
    assert_eq!(debtors.len(), 300);
    let count = |fits: &dyn Fn(&Value) -> bool| debtors.values().filter(|d| fits(d)).count();
    let (mut mobiles, mut emails) = (BTreeSet::new(), BTreeSet::new());
    for debtor in debtors.values() {
        if let Some(email) = debtor.get("email").map(text) {
            let (local, domain) = email.split_once('@').unwrap();
            assert!(matches!(domain, "example.org" | "example.com"), "{email}");
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
            assert!(local.bytes().all(plain), "{email}");
            assert!(emails.insert(email));
        }
        if let Some(mobile) = debtor.get("mobile").map(text) {
            let kept = ["+4917139200", "+49176040690"];
            assert!(kept.iter().any(|k| mobile.len() == k.len() + 2 && mobile.starts_with(k)));
            assert!(mobiles.insert(mobile));
        }
    }
    assert_eq!(count(&|d| d["vulnerable"] == true), 2);
    assert_eq!(count(&|d| !d["represented_by"].is_null()), 1);
    assert!((15..=35).contains(&count(&|d| d["language"] == "en")));
    assert!((15..=55).contains(&count(&|d| d["kind"] == "business")));
    assert_eq!(count(&|d| d["country"] == "AT"), 10);
    for zone in ["Europe/Lisbon", "Europe/Athens", "Atlantic/Canary"] {
        assert_eq!(count(&|d| d["timezone"] == zone), 1);
    }
    assert!(count(&|d| d["email"].is_null()) >= 5);
    assert!(count(&|d| d["mobile"].is_null()) >= 50);
    assert!(count(&|d| d["consents"]["sms"] == false) >= 8);
    assert!(count(&|d| d["email"].is_null() && d["mobile"].is_null()) <= 5);
}

#[test]
fn ibans_are_well_formed_and_at_no_bank() {
    for payment in of_type(&lines(SEED), "payment.received") {
        let Some(iban) = payment.get("payer_iban").map(text) else { continue };
        assert!(iban.len() == 22 && iban.starts_with("DE") && &iban[4..5] == "9", "{iban}");
        let turned = format!("{}1314{}", &iban[4..], &iban[2..4]);
        assert_eq!(turned.parse::<u128>().unwrap() % 97, 1, "{iban}");
    }
}

#[test]
fn most_who_forgot_pay_after_the_reminder_and_few_ignore_everything() {
    let events = lines(SEED);
    let paid: BTreeSet<String> = of_type(&events, "payment.received")
        .iter()
        .filter_map(|payment| payment.get("invoice").map(text))
        .collect();
    let late: BTreeSet<String> = of_type(&events, "invoice.issued")
        .iter()
        .filter(|invoice| text(&invoice["due_on"]).as_str() < "2026-11-12")
        .filter(|invoice| !paid.contains(&text(&invoice["invoice"])))
        .map(|invoice| text(&invoice["debtor"]))
        .collect();
    assert!((45..=110).contains(&late.len()), "{} debtors owe", late.len());
    let pays = |debtor: &&String| {
        matches!(
            reacts(SEED, debtor, "reminder", 1),
            Reaction::PaysAfterDays(_) | Reaction::PaysOverPageAfterHours(_)
        )
    };
    let silent = |debtor: &&String| {
        [("reminder", 1), ("mahnung", 1), ("offer", 1), ("mahnung", 2)]
            .iter()
            .all(|(kind, nth)| reacts(SEED, debtor, kind, *nth) == Reaction::Ignores)
    };
    let share = |n: usize| 100 * n / late.len();
    assert!(share(late.iter().filter(pays).count()) >= 50);
    assert!((1..=14).contains(&share(late.iter().filter(silent).count())));
}

#[test]
fn a_reaction_is_a_matter_of_seed_debtor_kind_and_count_alone() {
    let mut kinds = std::collections::HashSet::new();
    for debtor in 10_001..=10_300 {
        let debtor = format!("K-{debtor}");
        for kind in ["notice", "reminder", "mahnung", "offer"] {
            for nth in 1..=3 {
                let reaction = reacts(SEED, &debtor, kind, nth);
                assert_eq!(reaction, reacts(SEED, &debtor, kind, nth));
                if let Reaction::PartPaymentAfterDays(_, percent) = reaction {
                    assert!((20..=70).contains(&percent));
                }
                kinds.insert(std::mem::discriminant(&reaction));
            }
        }
        assert_eq!(reacts(SEED, &debtor, "letter of thanks", 1), Reaction::Ignores);
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

#[test]
fn any_length_works_and_an_impossible_one_is_an_error() {
    for months in [0, 1, 2, 14] {
        let events = generate(3, date(2027, 2, 10), months).unwrap();
        let issued = events.iter().filter(|e| e.line.contains("invoice.issued")).count();
        assert_eq!(issued, 180 * months as usize);
    }
    assert!(generate(3, date(2027, 2, 10), u32::MAX).is_err());
}
