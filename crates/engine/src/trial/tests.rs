#![allow(clippy::unwrap_used)]
use kulanz_domain::{
    calendar::Region,
    event::NoticeDecided,
    fact::{Channel, Invoice, Stamp},
    law::Seat,
    money::Money,
    policy::Law,
};
use serde_json::json;

use super::*;

const DAYS: u16 = 30;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn noon(text: &str) -> Timestamp {
    format!("{text}T12:00:00Z").parse().unwrap()
}

fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

fn amount(text: &str) -> Decimal {
    eur(text).amount
}

fn invoice(id: &str, sum: &str, due: &str) -> AccountEvent {
    let told =
        json!({ "invoice": id, "issued_on": "2026-02-01", "due_on": due, "amount": eur(sum) });
    let invoice: Invoice = serde_json::from_value(told).unwrap();
    AccountEvent::InvoiceIssued { invoice, recorded_at: noon("2026-02-01") }
}

fn paid(id: &str, sum: &str, on: &str, invoice: &str) -> AccountEvent {
    AccountEvent::PaymentReceived {
        payment: id.parse().unwrap(),
        booked_on: day(on),
        amount: eur(sum),
        method: "transfer".into(),
        invoice: Some(invoice.parse().unwrap()),
    }
}

fn messages(id: &str, arm: Arm, on: &str) -> [AccountEvent; 2] {
    let decided: NoticeDecided = serde_json::from_value(json!({
        "notice": id, "policy": policy("p", 1), "step": "reminder", "kind": "reminder",
        "text": "reminder", "persona": "everyone", "language": "de", "tone": "clear",
        "channel": Channel::Email, "pay_with": [], "currency": "EUR", "claims": [],
        "at": noon(on), "arms": [{ "experiment": "evening", "arm": arm }],
    }))
    .unwrap();
    let notice = decided.notice.clone();
    let sent = AccountEvent::NoticeSent { notice, at: noon(on), deadline: None };
    [AccountEvent::NoticeDecided(Box::new(decided)), sent]
}

fn policy(name: &str, version: u32) -> PolicyRef {
    PolicyRef { name: name.parse().unwrap(), version, hash: "0".into() }
}

fn met(on: &str, policy: PolicyRef, arm: Option<Arm>) -> Met {
    let experiment: ExperimentName = "evening".parse().unwrap();
    let arms = arm.map(|arm| ArmTaken { experiment, arm }).into_iter().collect();
    Met { at: noon(on), policy, arms }
}

/// An account that met version 1 on 10 February.
fn from_february(arm: Arm) -> Vec<Met> {
    vec![met("2026-02-10", policy("p", 1), Some(arm))]
}

fn told(accounts: &[(Vec<AccountEvent>, Vec<Met>)], now: &str) -> Option<Report> {
    let options = Options { now: noon(now), days: DAYS, experiment: None };
    let id: AccountId = "shop/K-1".parse().unwrap();
    let known = Known {
        currency: Currency::EUR,
        seat: Seat { law: Law::De, region: Region::None },
        zone: TimeZone::get("Europe/Berlin").unwrap(),
    };
    let all = [("p", 1), ("p", 2), ("q", 1)];
    let known = all.map(|(name, version)| {
        ((id.creditor.clone(), name.parse().unwrap(), version), known.clone())
    });
    let mut units = BTreeMap::new();
    for (events, met) in accounts {
        let mut account = Account::default();
        events.iter().for_each(|event| account.apply_event(event));
        enrol(&id, &account, met, &known.clone().into(), &options, &mut units);
    }
    let mut reports = units.into_iter().map(|(key, drawn)| Report::of(key, &drawn, &options));
    reports.next()
}

#[test]
fn money_counts_from_the_day_after_the_due_date_for_as_many_days_as_asked() {
    // Overdue from 16 March on; 30 days end with 14 April.
    let claim = || vec![invoice("R-1", "100.00", "2026-03-15")];
    let with = |more: Vec<AccountEvent>| [claim(), more].concat();
    let treated = from_february(Arm::Treated);
    let cases = [
        (paid("Z", "100.00", "2026-03-16", "R-1"), "100.00", 1),
        (paid("Z", "40.00", "2026-04-14", "R-1"), "40.00", 0),
        (paid("Z", "100.00", "2026-04-15", "R-1"), "0.00", 1),
    ];
    for (payment, recovered, settled) in cases {
        let events =
            with([messages("N", Arm::Treated, "2026-03-19").to_vec(), vec![payment]].concat());
        let arm = told(&[(events, treated.clone())], "2026-06-01").unwrap().treated;
        assert_eq!((arm.accounts, arm.claims, arm.followed, arm.messages), (1, 1, 1, 1));
        assert_eq!((arm.open, arm.recovered), (amount("100.00"), amount(recovered)));
        assert_eq!(arm.paid, settled);
    }
    // Paid by the due date: never overdue, so that nothing was tried on it.
    let early = with(vec![paid("Z", "100.00", "2026-03-15", "R-1")]);
    let report = told(&[(early, treated.clone())], "2026-06-01").unwrap();
    assert_eq!((report.treated.accounts, report.enrolled), (0, None));
    // Not overdue yet.
    assert_eq!(told(&[(claim(), treated.clone())], "2026-03-15").unwrap().treated.accounts, 0);
    // Overdue, and its days not over.
    let report = told(&[(claim(), treated)], "2026-04-14").unwrap();
    assert_eq!((report.treated.accounts, report.treated.followed), (1, 0));
    assert_eq!(report.enrolled, Some((day("2026-03-16"), day("2026-03-16"))));
}

#[test]
fn an_account_is_enrolled_once_with_the_claims_that_are_overdue_then() {
    let events = vec![
        invoice("R-1", "100.00", "2026-03-15"),
        invoice("R-2", "50.00", "2026-03-10"),
        invoice("R-3", "70.00", "2026-03-20"),
        paid("Z-2", "20.00", "2026-03-12", "R-2"),
        paid("Z-3", "70.00", "2026-04-01", "R-3"),
        paid("Z-1", "100.00", "2026-04-02", "R-1"),
    ];
    // The policy met it on 18 March, when R-1 and a rest of R-2 were overdue.
    let met = vec![met("2026-03-18", policy("p", 1), Some(Arm::Control))];
    let arm = told(&[(events, met)], "2026-06-01").unwrap().control;
    assert_eq!((arm.accounts, arm.claims), (1, 2));
    assert_eq!((arm.open, arm.recovered), (amount("130.00"), amount("100.00")));
    assert_eq!(arm.paid, 0, "30.00 of R-2 are open");
}

#[test]
fn money_that_went_back_was_not_recovered_and_what_is_taken_off_is_not_paid() {
    let claim = invoice("R-1", "100.00", "2026-03-15");
    let back = AccountEvent::PaymentReturned {
        payment: "Z".parse().unwrap(),
        on: day("2026-03-25"),
        amount: None,
        reason: "AC04".into(),
        fee: None,
        at: None,
    };
    let returned = vec![claim.clone(), paid("Z", "100.00", "2026-03-20", "R-1"), back];
    let cancelled =
        AccountEvent::InvoiceCancelled { invoice: "R-1".parse().unwrap(), on: day("2026-03-20") };
    let accounts = [
        (returned, from_february(Arm::Treated)),
        (vec![claim.clone(), cancelled], from_february(Arm::Treated)),
        (vec![claim, paid("Z", "100.00", "2026-03-18", "R-1")], from_february(Arm::Treated)),
    ];
    let arm = told(&accounts, "2026-06-01").unwrap().treated;
    assert_eq!((arm.accounts, arm.paid), (3, 1));
    assert_eq!((arm.open, arm.recovered), (amount("300.00"), amount("100.00")));
    // Day 2: one of three has paid. Day 4: the cancelled one is looked at no more.
    assert_eq!(arm.unpaid.len(), 31);
    let third = |at: usize| (arm.unpaid[at] * 3.0).round();
    assert_eq!((third(0), third(1), third(2), third(30)), (3.0, 3.0, 2.0, 2.0));
}

#[test]
fn an_account_keeps_the_arm_in_which_it_was_enrolled() {
    let claim = vec![invoice("R-1", "100.00", "2026-03-15")];
    let later = |from: &str, policy: PolicyRef, arm: Option<Arm>| {
        let mut all = from_february(Arm::Treated);
        all.push(met(from, policy, arm));
        all
    };
    let report = |met: Vec<Met>| told(&[(claim.clone(), met)], "2026-06-01").unwrap();
    // The experiment ends while it runs, or the shares are changed: it counts where it began.
    let ended = report(later("2026-03-20", policy("p", 2), None));
    assert_eq!((ended.treated.accounts, ended.moved), (1, 0));
    let drawn_anew = report(later("2026-03-20", policy("p", 2), Some(Arm::Control)));
    assert_eq!((drawn_anew.treated.accounts, drawn_anew.control.accounts), (1, 0));
    assert_eq!((drawn_anew.moved, drawn_anew.versions), (1, vec![1, 2]));
    // What ended before the claim was overdue enrols nobody, nor does another policy in its place.
    assert_eq!(report(later("2026-03-01", policy("p", 2), None)).treated.accounts, 0);
    assert_eq!(report(later("2026-03-01", policy("q", 1), None)).treated.accounts, 0);
    // The arm on the day on which it was overdue counts.
    let moved = report(later("2026-03-01", policy("p", 2), Some(Arm::Control)));
    assert_eq!((moved.treated.accounts, moved.control.accounts, moved.moved), (0, 1, 0));
}

#[test]
fn both_arms_are_compared_with_intervals_once_there_are_enough_accounts() {
    let arm = |arm: Arm, pay: u32, all: u32| {
        (0..all).map(move |n| {
            let on = format!("2026-03-{}", 17 + n % 10);
            let mut events = vec![invoice("R-1", "100.00", "2026-03-15")];
            events.extend((n < pay).then(|| paid("Z", "100.00", &on, "R-1")));
            (events, from_february(arm))
        })
    };
    let accounts: Vec<_> = arm(Arm::Treated, 30, 40).chain(arm(Arm::Control, 20, 40)).collect();
    let report = told(&accounts, "2026-06-01").unwrap();
    let difference = report.share_difference.unwrap();
    assert!((difference.value - 0.25).abs() < 1e-9);
    // sqrt(0.75 * 0.25 / 39 + 0.5 * 0.5 / 39) = 0.10592, and 1.9913 for 77.1 degrees of freedom.
    let (from, to) = difference.interval.unwrap();
    assert!((from - (0.25 - 0.2109)).abs() < 0.0005 && (to - (0.25 + 0.2109)).abs() < 0.0005);
    assert!(report.days_difference.unwrap().value < 0.0, "the treated pay earlier");
    assert_eq!(report.treated.median_days.unwrap().days, 7);
    let few: Vec<_> = arm(Arm::Treated, 5, 10).chain(arm(Arm::Control, 4, 10)).collect();
    let report = told(&few, "2026-06-01").unwrap();
    assert_eq!(report.treated.share.unwrap().interval, None);
    assert_eq!(report.share_difference.unwrap().interval, None);
}

#[test]
fn stamps_order_what_is_told_of_a_claim() {
    // An adjustment after the enrolment changes what can come in, not what was open then.
    let adjusted = AccountEvent::InvoiceAdjusted {
        invoice: "R-1".parse().unwrap(),
        stamp: Stamp { at: noon("2026-03-20"), id: "a#1".into() },
        on: day("2026-03-20"),
        amount: eur("60.00"),
    };
    let events = vec![
        invoice("R-1", "100.00", "2026-03-15"),
        adjusted,
        paid("Z", "60.00", "2026-03-22", "R-1"),
    ];
    let arm = told(&[(events, from_february(Arm::Treated))], "2026-06-01").unwrap().treated;
    assert_eq!((arm.open, arm.recovered, arm.paid), (amount("100.00"), amount("60.00"), 1));
}
