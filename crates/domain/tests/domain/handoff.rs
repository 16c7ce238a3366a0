//! Handing claims to an agency, and getting them back.

use kulanz_domain::{
    AccountEvent, Command,
    account::PlacementState::*,
    event::Suppression,
    fact::{Channel::Email, *},
    ids::*,
    policy::{Release, StepAction},
};

use crate::{
    story::{Story, given},
    world::*,
};

/// R-1 of 89.90 after the whole ladder, on the day on which its handoff is due.
pub fn due() -> Story {
    due_under(shop_b2c(), invoice("R-1", eur("89.90"), "2026-03-15"))
}

fn due_under(policy: kulanz_domain::policy::Policy, invoice: Invoice) -> Story {
    let mut story = given([Fact::InvoiceIssued { invoice }])
        .under(policy)
        .on("2026-03-19")
        .takes("reminder", Email)
        .on("2026-03-30")
        .takes("mahnung", Email)
        .on("2026-04-13")
        .takes("instalments", Email)
        .on("2026-04-20")
        .takes("last-call", Email)
        .on("2026-05-05");
    let events = story.decide();
    assert!(events.iter().any(|event| event.kind() == "HandoffDue"), "{events:?}");
    story
}

fn with_release(release: Release) -> kulanz_domain::policy::Policy {
    let mut policy = shop_b2c();
    let agency = AgencyId::new("nordinkasso").unwrap();
    policy.steps[5].action = StepAction::HandOff { agency, release };
    policy
}

fn report(story: &Story, report: PlacementReport, on: &str) -> Fact {
    Fact::PlacementReported {
        placement: story.placement(),
        agency: AgencyId::new("nordinkasso").unwrap(),
        invoice: Some(id("R-1")),
        on: day(on),
        report,
    }
}

#[test]
fn two_persons_release_what_was_owed_at_that_moment() {
    let story = due()
        .told(paid("P-1", "50.00", "2026-05-04", Some("R-1")))
        .released_by("ute")
        .placement_is(Due)
        .released_by("jan")
        .placement_is(Released);
    let placement = &story.account.placements[&story.placement()];
    assert_eq!(placement.amounts, [(id("R-1"), amount("39.90"), amount("0.00"))]);
    assert_eq!(placement.approved_by.iter().collect::<Vec<_>>(), ["jan", "ute"]);
}

#[test]
fn one_person_is_enough_where_the_policy_says_so() {
    let invoice = invoice("R-1", eur("89.90"), "2026-03-15");
    due_under(with_release(Release::OnePerson), invoice).released_by("ute").placement_is(Released);
}

#[test]
fn an_automatic_release_waits_for_what_is_missing() {
    let whole = invoice("R-1", eur("89.90"), "2026-03-15");
    due_under(with_release(Release::Automatic), whole.clone()).placement_is(Released);
    let nowhere = DebtorProfile { reachable: vec![Email], ..consumer() };
    let policy = with_release(Release::Automatic);
    let mut story = given([Fact::InvoiceIssued { invoice: whole }, debtor(nowhere)])
        .under(policy)
        .on("2026-03-19")
        .takes("reminder", Email)
        .on("2026-03-30")
        .takes("mahnung", Email)
        .on("2026-04-13")
        .takes("instalments", Email)
        .on("2026-04-20")
        .takes("last-call", Email)
        .on("2026-05-05");
    story.decide();
    story = story.placement_is(Due).told(debtor(consumer()));
    story.decide();
    story.placement_is(Released).happened("HandoffFieldsChanged", 1);
}

#[test]
fn a_placement_lists_what_it_lacks() {
    let mut bare = invoice("R-1", eur("89.90"), "2026-03-15");
    (bare.contract_on, bare.contract_object_known) = (None, false);
    let story = due_under(shop_b2c(), bare);
    let missing = &story.account.placements[&story.placement()].missing;
    assert_eq!(missing, &["date of the contract of R-1", "object of the contract of R-1"]);
}

#[test]
fn a_dispute_takes_a_waiting_placement_off_the_list_and_a_rejected_one_puts_it_back() {
    let mut story = due()
        .told(disputed("E-1", "R-1", "2026-05-06", None))
        .placement_is(Withdrawn)
        .told(resolved("E-1", "R-1", "2026-05-20", DisputeOutcome::Rejected, None))
        .on("2026-05-20");
    story.decide();
    story.happened("HandoffDue", 2);
}

#[test]
fn what_is_paid_to_us_is_called_back() {
    let story = due().released_by("ute").released_by("jan");
    let called = |story: &Story| {
        story.log.iter().any(|event| {
            matches!(event, AccountEvent::PlacementRecalled { reason: Suppression::Paid, .. })
        })
    };
    let part = story.clone().told(paid("P-1", "50.00", "2026-05-06", Some("R-1")));
    assert!(!called(&part));
    let whole = story.told(paid("P-1", "89.90", "2026-05-06", Some("R-1"))).placement_is(Recalled);
    assert!(called(&whole));
}

#[test]
fn insolvency_death_and_erasure_withdraw_what_waits() {
    let on = day("2026-05-06");
    due().told(Fact::InsolvencyOpened { on }).placement_is(Withdrawn);
    due().told(Fact::DebtorDeceased { on }).placement_is(Withdrawn);
    due().does(Command::Erase { at: at("2026-05-06") }).placement_is(Withdrawn);
    let out = due().released_by("ute").released_by("jan");
    out.does(Command::Erase { at: at("2026-05-06") }).placement_is(Recalled);
}

#[test]
fn the_agencys_words_are_kept_and_its_money_counts_once() {
    let story = due().released_by("ute").released_by("jan");
    let story = story.clone().told(report(&story, PlacementReport::Accepted, "2026-05-07"));
    let moved = PlacementReport::Status { state: "debtor_moved".into() };
    let story = story.clone().told(report(&story, moved, "2026-05-08"));
    let entry = &story.account.placements[&story.placement()];
    assert_eq!(entry.agency_state.as_deref(), Some("debtor_moved"));
    let money = PlacementReport::PaymentReceived {
        payment: PaymentId::new("A-1").unwrap(),
        amount: eur("40.00"),
        paid_to_creditor: false,
        split: None,
    };
    let told = report(&story, money, "2026-05-09");
    let story = story.told(told.clone()).told(told).owes("R-1", "49.90", "0.00");
    let story = story.clone().told(report(&story, PlacementReport::Closed, "2026-06-01"));
    story.placement_is(Closed).happened("PaymentReceived", 1);
    let story = due().released_by("ute").released_by("jan");
    let rejected = report(&story, PlacementReport::Rejected, "2026-05-07");
    story.told(rejected).placement_is(Rejected);
}
