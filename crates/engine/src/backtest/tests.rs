#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use jiff::{civil::date, tz::TimeZone};
use kulanz_domain::{
    calendar::{Region, Span},
    contact::{ContactWindow, preset},
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    policy::{
        Anchor, Bundle, Creditor, LanguageChoice, Law, Moment, Persona, Policy, PolicyRef, Release,
        Rules, Step, StepAction,
    },
};

use super::{History, Options, Outcome, Told};
use crate::{SharedRules, UNMATCHED};

const ALL: Options = Options { until: None, threads: Some(1) };

fn step(name: &str, action: StepAction, anchor: Anchor, days: i32) -> Step {
    Step {
        name: name.parse().unwrap(),
        action,
        at: Moment { anchor, before: false, span: Span::Days(days) },
        deadline: None,
        fee: Decimal::ZERO,
        lump_sum: false,
        stop_delivery: false,
        expires: None,
        when: None,
        text: name.into(),
    }
}

/// A reminder after 5 days, an agency after 30 more.
fn rules() -> SharedRules {
    let agency: AgencyId = "agency".parse().unwrap();
    let creditor = Creditor {
        id: "shop".parse().unwrap(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        region: Region::De,
        law: Law::None,
        channels: vec![Channel::Email],
        agencies: vec![agency.clone()],
        complete_for_placement: true,
        base_rates: kulanz_domain::law::rates::RateTable::Germany.shipped().unwrap().into(),
    };
    let persona = Persona {
        name: "everyone".parse().unwrap(),
        when: None,
        language: LanguageChoice::Debtor,
        tone: "warm".into(),
        window: ContactWindow::decency_default(),
        channels: vec![Channel::Email],
        pay_with: Vec::new(),
        pace: Decimal::ONE,
    };
    let hand_off = StepAction::HandOff { agency, release: Release::OnePerson };
    let policy = Policy {
        reference: PolicyRef { name: "p".parse().unwrap(), version: 1, hash: "0".into() },
        creditor: creditor.id.clone(),
        currency: Currency::EUR,
        languages: vec!["de".to_owned()],
        zone: creditor.zone.clone(),
        region: Region::De,
        cap: preset("none").unwrap().cap,
        minimum: Decimal::ZERO,
        bundle: Bundle::Account,
        interest: kulanz_domain::policy::InterestPolicy::default(),
        rest_waived: Decimal::ZERO,
        in_flight: Span::Days(0),
        promise_within: Span::Days(30),
        meets_overdue_days: 60,
        entry: None,
        spread_minutes: 0,
        brake: None,
        trials: None,
        arms: Vec::new(),
        personas: vec![persona],
        steps: vec![
            step("reminder", StepAction::Reminder, Anchor::Due, 5),
            step("collection", hand_off, Anchor::Step(0), 30),
        ],
    };
    let policies = [("EUR", Arc::new(policy))].into();
    let rules = Arc::new(Rules { creditor: creditor.clone(), policies });
    SharedRules::new([(creditor.id, rules)].into())
}

fn eur(amount: &str) -> Money {
    Money::parse(amount, Currency::EUR).unwrap()
}

fn told(id: &str, debtor: &str, at: &str, fact: Fact) -> Told {
    let account = AccountId::new("shop".parse().unwrap(), debtor.parse().unwrap());
    let stamp = Stamp { at: at.parse().unwrap(), id: format!("/test#{id}") };
    Told::new("/test", id, account, stamp, fact)
}

fn debtor() -> Fact {
    Fact::DebtorUpdated {
        profile: DebtorProfile {
            kind: DebtorKind::Consumer,
            language: "de".to_owned(),
            country: "DE".to_owned(),
            region: None,
            timezone: None,
            reachable: vec![Channel::Email],
            prefers: Vec::new(),
            pays_with: Vec::new(),
            hours: None,
            sms_consent: None,
            vulnerable: false,
            address_researched: false,
            represented: false,
            minor_until: None,
            birth_told: BirthTold::Never,
            attributes: Default::default(),
        },
    }
}

fn issued(invoice: &str, amount: &str) -> Fact {
    Fact::InvoiceIssued {
        invoice: Invoice {
            invoice: invoice.parse().unwrap(),
            issued_on: date(2026, 1, 1),
            due_on: date(2026, 1, 15),
            amount: eur(amount),
            contract_on: None,
            contract_object_known: false,
            contract_rate: None,
            received_on: None,
            due_date_agreed: false,
            late_payment_notice: false,
            supply: Supply::GoodsServices,
            consumer_credit: false,
        },
    }
}

fn paid(payment: &str, amount: &str, invoice: Option<&str>) -> Fact {
    Fact::PaymentReceived {
        payment: payment.parse().unwrap(),
        booked_on: date(2026, 2, 1),
        amount: eur(amount),
        method: "transfer".to_owned(),
        invoice: invoice.map(|invoice| invoice.parse().unwrap()),
    }
}

fn history(events: impl IntoIterator<Item = Told>) -> History {
    let mut history = History::default();
    events.into_iter().for_each(|event| history.add(event));
    history
}

fn csv(outcome: &Outcome) -> String {
    let mut bytes = Vec::new();
    outcome.timeline.write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_debtor_who_never_pays_climbs_the_ladder_to_its_end() {
    let events = [
        told("1", "a", "2026-01-01T10:00:00Z", issued("R-1", "35.00")),
        told("2", "a", "2026-01-01T10:00:00Z", debtor()),
    ];
    let options = Options { until: Some(date(2026, 6, 30)), threads: Some(1) };
    let outcome = history(events).play(&rules(), &options, |_| {});
    let expected = [
        "at,account,claim,event,step,persona,channel,amount,reason",
        "2026-01-01T10:00:00Z,shop/a,R-1,InvoiceIssued,,,,35.00,",
        "2026-01-20T07:00:00Z,shop/a,R-1,NoticeSent,reminder,everyone,email,35.00,",
        "2026-02-18T23:00:00Z,shop/a,R-1,HandoffDue,collection,,,35.00,\
         lacks debtor's address; date of the contract of R-1; object of the contract of R-1",
        "",
    ];
    assert_eq!(csv(&outcome), expected.join("\r\n"));
    assert_eq!(
        serde_json::to_value(&outcome.summary).unwrap(),
        serde_json::json!({
            "events": 2, "accounts": 1, "claims": 1,
            "steps": { "collection": 1, "reminder": 1 },
            "notices": { "reminder": { "email": 1 } },
            "placements": 0, "handoffs_due": 1,
            "currencies": { "EUR": {
                "principal": "35.00", "paid": "0.00", "credited": "0.00",
                "unallocated": "0.00", "outstanding": "35.00", "fees": "0.00", "interest": "0.00",
            } },
        })
    );
}

#[test]
fn facts_of_one_moment_are_all_known_before_anything_is_decided() {
    let at = "2026-01-21T10:00:00Z";
    let events = [
        told("1", "a", at, issued("R-1", "35.00")),
        told("2", "a", at, debtor()),
        told("3", "a", at, paid("P-1", "35.00", Some("R-1"))),
    ];
    let outcome = history(events).play(&rules(), &ALL, |_| {});
    assert!(outcome.summary.notices.is_empty());
    assert_eq!(outcome.summary.currencies["EUR"].outstanding.to_string(), "0.00");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let events = || {
        (0..500).flat_map(|n| {
            let (debtor_id, invoice) = (format!("d{}", n % 200), format!("R-{n}"));
            let paying = paid(&format!("P-{n}"), "10.00", Some(&invoice));
            [
                told(&format!("{n}i"), &debtor_id, "2026-01-01T10:00:00Z", issued(&invoice, "35")),
                told(&format!("{n}d"), &debtor_id, "2026-01-01T10:00:00Z", debtor()),
                told(&format!("{n}p"), &debtor_id, "2026-02-01T10:00:00Z", paying),
            ]
        })
    };
    let play = |threads| {
        let options = Options { until: None, threads: Some(threads) };
        history(events()).play(&rules(), &options, |_| {})
    };
    let (one, three) = (play(1), play(3));
    assert_eq!(one.summary, three.summary);
    assert!(csv(&one) == csv(&three));
    assert_eq!(one.summary.accounts, 200);
}

#[test]
fn an_event_that_comes_twice_counts_once() {
    let events = [
        told("1", "a", "2026-01-01T10:00:00Z", issued("R-1", "35.00")),
        told("1", "a", "2026-01-01T10:00:00Z", issued("R-1", "35.00")),
        told("2", "a", "2026-01-02T10:00:00Z", paid("P-1", "20.00", None)),
        told("2", "b", "2026-01-02T10:00:00Z", paid("P-1", "20.00", None)),
    ];
    let outcome = history(events).play(&rules(), &ALL, |_| {});
    assert_eq!((outcome.summary.events, outcome.duplicates), (2, 2));
    assert_eq!(outcome.summary.currencies["EUR"].paid.to_string(), "20.00");
}

#[test]
fn a_payment_assigned_later_counts_on_the_account_that_it_belongs_to() {
    let to: AccountId = "shop/a".parse().unwrap();
    let assigned = Fact::PaymentAssigned { payment: "P-1".parse().unwrap(), to, invoice: None };
    let events = [
        told("1", "a", "2026-01-01T10:00:00Z", issued("R-1", "35.00")),
        told("2", UNMATCHED, "2026-02-01T10:00:00Z", paid("P-1", "35.00", None)),
        told("3", UNMATCHED, "2026-02-03T10:00:00Z", assigned),
    ];
    let outcome = history(events).play(&rules(), &ALL, |_| {});
    let totals = &outcome.summary.currencies["EUR"];
    assert_eq!(
        (totals.paid.to_string(), totals.outstanding.to_string()),
        ("35.00".into(), "0.00".into())
    );
    assert_eq!((outcome.summary.events, outcome.summary.accounts), (3, 1));
    assert!(
        csv(&outcome).contains("2026-02-03T10:00:00Z,shop/a,R-1,ClaimSettled,,,,,on 2026-02-01")
    );
}

#[test]
fn what_comes_after_the_last_day_is_not_played() {
    // 23:30 in Berlin is the same day still, 00:30 is not.
    let events = [
        told("1", "a", "2026-01-01T10:00:00Z", issued("R-1", "35.00")),
        told("2", "a", "2026-01-31T22:30:00Z", paid("P-1", "10.00", None)),
        told("3", "a", "2026-01-31T23:30:00Z", paid("P-2", "10.00", None)),
    ];
    let options = Options { until: Some(date(2026, 1, 31)), threads: None };
    let outcome = history(events).play(&rules(), &options, |_| {});
    assert_eq!(outcome.summary.currencies["EUR"].paid.to_string(), "10.00");
    assert_eq!((outcome.summary.events, outcome.later), (2, 1));
}

#[test]
fn facts_that_cannot_be_recorded_are_told() {
    let at = "2026-01-01T10:00:00Z";
    let nobody = AccountId::new("nobody".parse().unwrap(), "a".parse().unwrap());
    let stamp = Stamp { at: at.parse().unwrap(), id: "/test#9".to_owned() };
    let events = [
        told("1", "a", at, issued("R-1", "35.00")),
        told("2", "a", at, issued("R-1", "36.00")),
        Told::new("/test", "9", nobody, stamp, debtor()),
    ];
    let outcome = history(events).play(&rules(), &ALL, |_| {});
    let told: Vec<(&str, &str)> =
        outcome.rejected.iter().map(|r| (r.event.as_str(), r.reason.as_str())).collect();
    let contradicts = "invoice R-1 is on the account already, with other content";
    let unknown = "there is no file for the creditor nobody";
    assert_eq!(told, [("/test#9", unknown), ("/test#2", contradicts)]);
    assert_eq!(outcome.summary.events, 1);
}

#[test]
fn chunks_decoded_at_once_are_added_in_their_order() {
    let mut history = History::default();
    let chunks = (0..50).map(|n| if n < 40 { Ok(n) } else { Err("broken") });
    let ended = history.gather(Some(3), chunks, |n: i32| {
        let fact = issued("R-1", &format!("{n}.00"));
        vec![told(&n.to_string(), "a", "2026-01-01T10:00:00Z", fact)]
    });
    assert_eq!((ended, history.len()), (Err("broken"), 40));
    let outcome = history.play(&rules(), &ALL, |_| {});
    assert_eq!(outcome.summary.currencies["EUR"].principal.to_string(), "0.00");
    assert_eq!(outcome.rejected.len(), 39); // the first one counts, the others contradict it
}
