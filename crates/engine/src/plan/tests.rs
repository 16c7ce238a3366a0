#![allow(clippy::unwrap_used)]
use std::{collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, civil::date, tz::TimeZone};
use kulanz_domain::{
    brake::{Brake, Limit},
    calendar::{Region, Span},
    contact::{ContactCap, ContactWindow, preset},
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    policy::{
        Anchor, Arm, Bundle, Creditor, Experiment, LanguageChoice, Law, Moment, Persona, Policy,
        PolicyRef, Release, Rules, Step, StepAction, Trials,
    },
};
use kulanz_store::{InboxKey, Store, sqlite::SqliteStore};
use tempfile::TempDir;

use super::{Aspect, Hindrance, Options, Pair, Report, compare};
use crate::{Engine, Incoming, Mode, Receipt, SharedRules, clock::Clock, vault::Vault};

/// A Monday. What is due on the 15th is reminded of on the 20th, and again on the 30th.
const NOW: &str = "2026-01-12T10:00:00Z";

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

fn creditor() -> Creditor {
    Creditor {
        id: "shop".parse().unwrap(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        region: Region::None,
        law: Law::De,
        channels: vec![Channel::Email, Channel::Sms],
        agencies: vec!["agency".parse().unwrap()],
        complete_for_placement: true,
        base_rates: kulanz_domain::law::rates::RateTable::Germany.shipped().unwrap().into(),
    }
}

pub(crate) fn policy() -> Policy {
    let persona = Persona {
        name: "everyone".parse().unwrap(),
        when: None,
        language: LanguageChoice::Debtor,
        tone: "warm".into(),
        window: ContactWindow::decency_default(),
        channels: vec![Channel::Email, Channel::Sms],
        pay_with: vec![PayWith::Transfer],
        pace: Decimal::ONE,
    };
    Policy {
        reference: PolicyRef { name: "p".parse().unwrap(), version: 1, hash: "1".into() },
        creditor: "shop".parse().unwrap(),
        currency: Currency::EUR,
        languages: vec!["de".to_owned()],
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        region: Region::None,
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
            step("mahnung", StepAction::Mahnung, Anchor::Step(0), 10),
        ],
    }
}

pub(crate) fn rules(policy: Policy) -> Arc<Rules> {
    let policies = [("EUR", Arc::new(policy))].into();
    Arc::new(Rules { creditor: creditor(), policies })
}

/// Version 2, as `change` makes it.
fn candidate(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut next = policy();
    next.reference.version = 2;
    next.reference.hash = "2".into();
    change(&mut next);
    next
}

/// A book in a folder of its own.
struct Book {
    folder: TempDir,
    engine: Engine,
    number: u32,
}

impl Book {
    fn new(mode: Mode) -> Self {
        let folder = TempDir::new().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
        let clock = Clock::standing(NOW.parse().unwrap());
        let rules = SharedRules::new([("shop".parse().unwrap(), rules(policy()))].into());
        let engine = Engine::start(store, Arc::new(Vault::new([7; 32])), clock, rules, mode);
        Self { folder, engine, number: 0 }
    }

    async fn tell(&mut self, debtor: &str, fact: Fact) {
        self.number += 1;
        let id = format!("e-{}", self.number);
        let stamp = Stamp { at: "2026-01-02T09:00:00Z".parse().unwrap(), id: id.clone() };
        let account = AccountId::new("shop".parse().unwrap(), debtor.parse().unwrap());
        let key = InboxKey { source: "/test".to_owned(), id };
        let secrets = Vec::new();
        let (recorded_at, trace) = (None, None);
        let told = Incoming { key, account, stamp, fact, secrets, recorded_at, trace };
        assert_eq!(self.engine.record(vec![told]).await.unwrap(), [Receipt::Accepted]);
    }

    /// A debtor with a claim of 90.00 that is due on `due_on`.
    async fn owes(&mut self, debtor: &str, due_on: jiff::civil::Date) {
        self.tell(debtor, profile()).await;
        self.tell(debtor, issued(&format!("R-{debtor}"), due_on)).await;
    }

    async fn plan(&self, then: Policy, options: Options) -> Report {
        let pair = Pair {
            in_force: rules(policy()),
            candidate: rules(then),
            reworded: ["mahnung.de.warm.sms".to_owned()].into(),
        };
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_read_only(self.folder.path()).unwrap());
        compare(store, pair, options, |_| {}).await.unwrap()
    }

    async fn ahead(&self, then: Policy) -> Report {
        self.plan(then, thirty_days()).await
    }
}

fn thirty_days() -> Options {
    Options { from: NOW.parse().unwrap(), days: 30, list: 10, threads: Some(1) }
}

pub(crate) fn profile() -> Fact {
    Fact::DebtorUpdated {
        profile: DebtorProfile {
            kind: DebtorKind::Consumer,
            language: "de".to_owned(),
            country: "DE".to_owned(),
            region: None,
            timezone: None,
            reachable: vec![Channel::Email, Channel::Sms],
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

pub(crate) fn issued(invoice: &str, due_on: jiff::civil::Date) -> Fact {
    Fact::InvoiceIssued {
        invoice: Invoice {
            invoice: invoice.parse().unwrap(),
            issued_on: due_on.checked_sub(jiff::ToSpan::days(14)).unwrap(),
            due_on,
            amount: Money::parse("90.00", Currency::EUR).unwrap(),
            contract_on: None,
            contract_object_known: false,
            contract_rate: None,
            received_on: None,
            due_date_agreed: true,
            late_payment_notice: false,
            supply: Supply::GoodsServices,
            consumer_credit: false,
        },
    }
}

async fn one_claim() -> Book {
    let mut book = Book::new(Mode::Recording);
    book.owes("D", date(2026, 1, 15)).await;
    book
}

fn days(report: &Report) -> (Vec<String>, Vec<String>) {
    let days = |side: &super::Side| side.days.keys().map(ToString::to_string).collect();
    (days(&report.in_force), days(&report.candidate))
}

#[tokio::test]
async fn the_same_rules_change_nothing() {
    let report = one_claim().await.ahead(candidate(|_| {})).await;
    assert!(report.is_empty(), "{report:?}");
    assert_eq!((report.accounts, report.open, report.in_force.messages), (1, 1, 2));
    assert_eq!(report.in_force, report.candidate);
    assert_eq!(days(&report).0, ["2026-01-20", "2026-01-30"]);
    assert_eq!(report.steps[&"reminder".parse::<StepName>().unwrap()].same, 1);
    // Two messages ask for 90.00 each.
    assert_eq!(report.in_force.money["EUR"].asked.to_string(), "180.00");
}

#[tokio::test]
async fn an_earlier_reminder_brings_what_counts_from_it_earlier_as_well() {
    let earlier = candidate(|next| next.steps[0].at.span = Span::Days(4));
    let report = one_claim().await.ahead(earlier).await;
    assert_eq!((report.affected, report.changed.count), (1, 2));
    let reminder = &report.steps[&"reminder".parse::<StepName>().unwrap()];
    assert_eq!((reminder.earlier.claims, reminder.earlier.days, reminder.same), (1, 1, 0));
    assert_eq!(report.aspects, BTreeMap::from([(Aspect::Earlier, 2)]));
    assert_eq!(days(&report).1, ["2026-01-19", "2026-01-29"]);
}

#[tokio::test]
async fn a_later_step_that_leaves_the_days_looked_at_is_gone() {
    let later = candidate(|next| {
        next.steps[0].at.span = Span::Days(7);
        next.steps[1].at.span = Span::Days(40);
    });
    let report = one_claim().await.ahead(later).await;
    let reminder = &report.steps[&"reminder".parse::<StepName>().unwrap()];
    assert_eq!((reminder.later.claims, reminder.later.days), (1, 2));
    assert_eq!((report.gone.count, report.changed.count, report.new.count), (1, 1, 0));
    let gone = &report.gone.named[0];
    assert_eq!(gone.step.as_str(), "mahnung");
    assert_eq!(gone.in_force.as_ref().unwrap().on, date(2026, 1, 30));
    assert!(gone.candidate.is_none());
}

#[tokio::test]
async fn a_step_more_is_new_and_a_handoff_names_its_agency() {
    let agency: AgencyId = "agency".parse().unwrap();
    let more = candidate(|next| {
        let hand_off = StepAction::HandOff { agency: agency.clone(), release: Release::FourEyes };
        next.steps.push(step("collection", hand_off, Anchor::Step(1), 5));
    });
    let report = one_claim().await.ahead(more).await;
    assert_eq!((report.new.count, report.gone.count, report.changed.count), (1, 0, 0));
    let new = report.new.named[0].candidate.as_ref().unwrap();
    assert_eq!((new.agency.as_ref(), new.on), (Some(&agency), date(2026, 2, 4)));
    assert_eq!(report.candidate.handoffs, BTreeMap::from([(agency, 1)]));
    assert_eq!(report.candidate.money["EUR"].handed_over.to_string(), "90.00");
    assert!(report.in_force.handoffs.is_empty());
    // Its ground and the debtor's address are not there: § 13a RDG wants them.
    assert_eq!(report.candidate.hindered, BTreeMap::from([(Hindrance::FieldsMissing, 1)]));
    assert_eq!(report.candidate.messages, report.in_force.messages);
}

#[tokio::test]
async fn a_quiet_step_is_new_without_a_message_and_stopped_deliveries_are_counted() {
    let more = candidate(|next| {
        let quiet = step("in-arrears", StepAction::Quiet, Anchor::Step(1), 5);
        next.steps.push(Step { stop_delivery: true, ..quiet });
    });
    let report = one_claim().await.ahead(more).await;
    assert_eq!((report.new.count, report.gone.count, report.changed.count), (1, 0, 0));
    let new = report.new.named[0].candidate.as_ref().unwrap();
    assert_eq!((new.on, new.channel, &new.agency), (date(2026, 2, 4), None, &None));
    assert_eq!((report.in_force.delivery_stops, report.candidate.delivery_stops), (0, 1));
    assert_eq!(report.candidate.messages, report.in_force.messages);
}

#[tokio::test]
async fn channel_tone_and_words_are_told_apart() {
    let other = candidate(|next| next.personas[0].channels = vec![Channel::Sms, Channel::Email]);
    let report = one_claim().await.ahead(other).await;
    assert_eq!(report.aspects, BTreeMap::from([(Aspect::Channel, 2)]));
    let line = &report.changed.named[0];
    assert_eq!(line.in_force.as_ref().unwrap().channel, Some(Channel::Email));
    assert_eq!(line.candidate.as_ref().unwrap().channel, Some(Channel::Sms));

    let both = candidate(|next| next.personas[0].tone = "formal".into());
    let report = one_claim().await.ahead(both).await;
    assert_eq!(report.aspects, BTreeMap::from([(Aspect::Tone, 2)]));

    // The same text with other words, where it is sent by SMS.
    let book = one_claim().await;
    let by_sms = candidate(|next| next.personas[0].channels = vec![Channel::Sms]);
    let pair = Pair {
        in_force: rules(by_sms.clone()),
        candidate: rules(by_sms),
        reworded: ["mahnung.de.warm.sms".to_owned()].into(),
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_read_only(book.folder.path()).unwrap());
    let report = compare(store, pair, thirty_days(), |_| {}).await.unwrap();
    assert_eq!(report.aspects, BTreeMap::from([(Aspect::Wording, 1)]));
    assert_eq!(report.changed.named[0].step.as_str(), "mahnung");
}

#[tokio::test]
async fn caps_windows_and_the_law_are_counted_where_they_bite() {
    let capped = candidate(|next| {
        next.cap = ContactCap::new(1, 14).unwrap();
        next.steps[0].at.span = Span::Days(3); // the 18th is a Sunday
        next.steps[1].fee = Decimal::new(250, 2);
    });
    let report = one_claim().await.ahead(capped).await;
    let hindered = &report.candidate.hindered;
    assert_eq!(hindered.get(&Hindrance::Window), Some(&1), "{hindered:?}");
    assert_eq!(hindered.get(&Hindrance::ContactCap), Some(&1), "{hindered:?}");
    // An e-mail costs nothing: the law takes all of the 2.50.
    assert_eq!(hindered.get(&Hindrance::FeeLowered), Some(&1), "{hindered:?}");
    assert!(report.in_force.hindered.is_empty(), "{:?}", report.in_force.hindered);
    assert_eq!(report.candidate.money["EUR"].fees.to_string(), "0.00");
    assert_eq!(days(&report).1[0], "2026-01-19");
}

#[tokio::test]
async fn a_policy_under_another_name_meets_old_claims_anew() {
    let mut book = Book::new(Mode::Serving);
    book.owes("D", date(2025, 11, 20)).await; // 53 days overdue: taken
    let renamed = candidate(|next| {
        next.reference.name = "q".parse().unwrap();
        next.meets_overdue_days = 30;
    });
    let report = book.ahead(renamed).await;
    assert_eq!(report.candidate.hindered.get(&Hindrance::HeldBack), Some(&1));
    assert_eq!((report.candidate.messages, report.gone.count), (0, 1));
}

#[tokio::test]
async fn nobody_gets_a_step_twice_and_a_renamed_one_is_told() {
    let mut book = Book::new(Mode::Serving);
    book.owes("D", date(2026, 1, 5)).await; // the reminder was decided just now
    assert_eq!(book.engine.store().outbox(None, 9).await.unwrap().len(), 1);
    let report = book.ahead(candidate(|next| next.steps[0].at.span = Span::Days(2))).await;
    assert!(report.is_empty(), "{report:?}");
    assert!(!report.candidate.claims.contains_key(&"reminder".parse::<StepName>().unwrap()));

    let row = book.engine.store().outbox(None, 9).await.unwrap().remove(0);
    let sent = kulanz_domain::Command::ConfirmSent {
        notice: row.notice,
        at: NOW.parse::<Timestamp>().unwrap(),
        rules: rules(policy()),
    };
    book.engine.execute(&row.account, sent, "test").await.unwrap();
    let renamed = candidate(|next| next.steps[0].name = "friendly".parse().unwrap());
    let report = book.ahead(renamed).await;
    let unknown = BTreeMap::from([("reminder".parse::<StepName>().unwrap(), 1)]);
    assert_eq!(report.unknown_steps, unknown);
    assert_eq!(report.new.named[0].step.as_str(), "friendly");
}

#[tokio::test]
async fn what_is_settled_is_not_played_and_lists_name_the_first() {
    let mut book = Book::new(Mode::Recording);
    for number in 0..40 {
        book.owes(&format!("D{number:02}"), date(2026, 1, 15)).await;
    }
    let paid = Fact::PaymentReceived {
        payment: "Z-1".parse().unwrap(),
        booked_on: date(2026, 1, 10),
        amount: Money::parse("90.00", Currency::EUR).unwrap(),
        method: "transfer".to_owned(),
        invoice: None,
    };
    book.tell("D07", paid).await;
    let shorter = || candidate(|next| drop(next.steps.pop()));
    let alone = book.plan(shorter(), Options { list: 3, ..thirty_days() }).await;
    assert_eq!((alone.accounts, alone.open, alone.gone.count), (40, 39, 39));
    let named: Vec<&str> = alone.gone.named.iter().map(|line| line.claim.as_str()).collect();
    assert_eq!(named, ["R-D00", "R-D01", "R-D02"]);
    let together =
        book.plan(shorter(), Options { list: 3, threads: Some(4), ..thirty_days() }).await;
    assert_eq!(alone, together);
}

fn brake(per_hour: u32, per_day: u32, times_usual: u32) -> Option<Brake> {
    let [per_hour, per_day, times_usual] =
        [per_hour, per_day, times_usual].map(std::num::NonZeroU32::new);
    Some(Brake { per_hour, per_day, times_usual })
}

#[tokio::test]
async fn it_says_on_which_day_and_hour_the_brake_is_reached_and_how_many_wait() {
    let mut book = Book::new(Mode::Recording);
    for number in 0..12 {
        book.owes(&format!("D{number:02}"), date(2026, 1, 15)).await;
    }
    for number in 0..3 {
        book.owes(&format!("E{number:02}"), date(2026, 1, 14)).await;
    }
    let braked = |limits| candidate(move |next| next.brake = limits);
    let report = book.ahead(braked(brake(5, 0, 0))).await;
    assert!(report.is_empty(), "who gets what stays the same");
    assert_eq!((report.in_force.brake, report.in_force.stopped), (None, None));
    let stopped = report.candidate.stopped.unwrap();
    // Three go on the 19th. On the 20th the window opens at 8:00 in Berlin.
    assert_eq!(
        (stopped.on, stopped.at.to_string().as_str()),
        (date(2026, 1, 20), "2026-01-20T07:00:00Z")
    );
    assert_eq!((stopped.limit, stopped.allowed, stopped.waiting), (Limit::PerHour, 5, 7));
    // A limit that all of it keeps is not reached.
    let report = book.ahead(braked(brake(12, 12, 5))).await;
    assert_eq!((report.candidate.stopped, report.candidate.brake), (None, brake(12, 12, 5)));
    let by_day = book.ahead(braked(brake(0, 11, 0))).await.candidate.stopped.unwrap();
    assert_eq!((by_day.limit, by_day.waiting), (Limit::PerDay, 1));
    // The same, whichever thread counted.
    let options = || Options { threads: Some(4), ..thirty_days() };
    let again = book.plan(braked(brake(5, 0, 0)), options()).await;
    assert_eq!(again.candidate.stopped, Some(stopped));
}

#[tokio::test]
async fn an_experiment_changes_the_future_of_those_on_whom_it_is_tried_alone() {
    let mut book = Book::new(Mode::Recording);
    for n in 0..20 {
        book.owes(&format!("D-{n}"), date(2026, 1, 15)).await;
    }
    let experiment =
        Experiment { name: "by-sms".parse().unwrap(), treated: 400_000, control: 400_000 };
    let is_treated = |n: &i32| {
        let account = format!("shop/D-{n}").parse().unwrap();
        experiment.arm(&account) == Some(Arm::Treated)
    };
    let treated: Vec<String> = (0..20).filter(is_treated).map(|n| format!("D-{n}")).collect();
    assert!(treated.len() > 3 && treated.len() < 17, "{treated:?}");
    let trying = candidate(|policy| {
        let mut sms = policy.clone();
        sms.personas[0].channels = vec![Channel::Sms, Channel::Email];
        let trials = Trials::new(vec![experiment.clone()], &[policy.clone(), sms]).unwrap();
        policy.trials = Some(Arc::new(trials));
    });
    let report = book.plan(trying, Options { list: 50, ..thirty_days() }).await;
    let by_sms = treated.len() as u64;
    assert_eq!(report.affected, by_sms);
    let mut named: Vec<String> =
        report.changed.named.iter().map(|line| line.account.debtor.to_string()).collect();
    named.dedup();
    let mut expected = treated;
    expected.sort();
    assert_eq!(named, expected);
    let reminders = &report.candidate.notices[&"reminder".parse().unwrap()];
    assert_eq!((reminders[&Channel::Sms], reminders[&Channel::Email]), (by_sms, 20 - by_sms));
}
