//! Handing claims to an agency, and getting them back.

use kulanz_domain::{
    AccountEvent, Command, Refusal,
    account::PlacementState::*,
    arrangement::plannable,
    decision::WaitReason,
    event::Suppression,
    fact::{Channel::Email, *},
    ids::*,
    money::Currency,
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
        .takes_all_to_the_last_call()
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

#[test]
fn a_small_rest_is_waived_in_the_same_look_that_takes_its_placement_off_the_list() {
    let policy = kulanz_domain::policy::Policy { rest_waived: amount("3.00"), ..with_interest() };
    let told = invoice("R-1", eur("89.90"), "2026-03-15");
    let told = Invoice { due_date_agreed: true, contract_rate: Some(amount("12")), ..told };
    let mut story = due_under(policy, told);
    let open = story.book(|book| book.open_on(day("2026-05-05"))) - amount("0.10");
    let money = open.round_dp(2).to_string();
    story.record(paid("P-1", &money, "2026-05-05", Some("R-1"))).unwrap();
    story.decide();
    assert_eq!(story.decide(), []);
    story.placement_is(Withdrawn).settled("R-1", Some("2026-05-05"));
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
fn what_the_policy_would_not_hand_over_any_more_is_not_released() {
    let part = paid("P-1", "70.00", "2026-05-04", Some("R-1"));
    let care = debtor(DebtorProfile { vulnerable: true, ..consumer() });
    for since in [part, care] {
        let mut story = due().on("2026-05-06").told(since);
        let blocked = Refusal::Blocked(Suppression::ConditionFalse);
        assert_eq!(story.release("ute"), Err(blocked));
        let mut story = story.on("2026-05-07");
        story.decide();
        let story = story.placement_is(Withdrawn);
        let why = WaitReason::ConditionFalse("25 and not vulnerable".into());
        // Nothing but the condition stands in the way.
        let mut story =
            story.waits(why).told(adjusted("R-1", "2026-05-07", "159.90")).told(debtor(consumer()));
        story.decide();
        story.happened("HandoffDue", 2);
    }
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
        .takes_all_to_the_last_call()
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
fn what_a_placement_lacks_can_be_told_with_the_invoice_again() {
    let whole = invoice("R-1", eur("89.90"), "2026-03-15");
    let mut bare = whole.clone();
    (bare.contract_on, bare.contract_object_known) = (None, false);
    let dated = Invoice { contract_on: whole.contract_on, ..bare.clone() };
    let other = Invoice { amount: eur("79.90"), ..whole.clone() };
    let contradicts = || Refusal::Contradicts { kind: "invoice", id: "R-1".into() };
    let mut story = due_under(shop_b2c(), bare.clone())
        .told(Fact::InvoiceIssued { invoice: dated.clone() })
        .told_again(Fact::InvoiceIssued { invoice: dated })
        .refuses(Fact::InvoiceIssued { invoice: other }, contradicts())
        .told(Fact::InvoiceIssued { invoice: whole.clone() })
        .told_again(Fact::InvoiceIssued { invoice: whole })
        .happened("InvoiceCompleted", 2)
        // What it leaves out is not forgotten.
        .refuses(Fact::InvoiceIssued { invoice: bare }, contradicts());
    story.decide();
    story.released_by("ute").released_by("jan").placement_is(Released);
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
fn a_dispute_calls_back_what_is_out_and_a_rejected_one_makes_it_due_again() {
    let story = due().released_by("ute").released_by("jan");
    let mut story = story
        .told(disputed("E-1", "R-1", "2026-05-06", None))
        .placement_is(Recalled)
        .on("2026-05-07")
        .waits(WaitReason::Disputed)
        .told(resolved("E-1", "R-1", "2026-05-20", DisputeOutcome::Rejected, None))
        .on("2026-05-20");
    let reason = story.log.iter().find_map(|event| match event {
        AccountEvent::PlacementRecalled { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason, Some(Suppression::Disputed));
    story.decide();
    let first = story.account.placements.keys().next().unwrap().clone();
    // The agency's word that it stopped says nothing about the second placement.
    let closed = Fact::PlacementReported {
        placement: first,
        agency: AgencyId::new("nordinkasso").unwrap(),
        invoice: Some(id("R-1")),
        on: day("2026-05-21"),
        report: PlacementReport::Closed,
    };
    let story = story.happened("HandoffDue", 2).told(closed);
    assert!(story.account.claims[&id("R-1")].placement.is_some());
    let story = story.released_by("ute").released_by("jan");
    let states: Vec<_> = story.account.placements.values().map(|one| one.state).collect();
    assert!(states.contains(&Recalled) && states.contains(&Released), "{states:?}");
}

#[test]
fn what_an_agency_gives_back_is_ours_again_and_not_handed_to_it_twice() {
    for word in [PlacementReport::Rejected, PlacementReport::Closed] {
        let out = due().released_by("ute").released_by("jan");
        let placement = out.placement();
        let back = out.clone().told(report(&out, word, "2026-05-07")).on("2026-05-08");
        assert_eq!(back.account.claims[&id("R-1")].placement, None);
        let (planned, _) = plannable(&back.account, Currency::EUR, back.today());
        assert_eq!(planned, [id("R-1")]);
        let mut other = with_release(Release::OnePerson);
        let agency = AgencyId::new("suedinkasso").unwrap();
        other.steps[5].action = StepAction::HandOff { agency, release: Release::OnePerson };
        let mut elsewhere = back.clone().under(other);
        elsewhere.decide();
        elsewhere.happened("HandoffDue", 2);
        back.waits(WaitReason::GivenBack(placement)).until_something_happens();
    }
}

#[test]
fn insolvency_death_and_erasure_withdraw_what_waits() {
    let on = day("2026-05-06");
    due().told(Fact::InsolvencyOpened { on }).placement_is(Withdrawn);
    due().told(Fact::DebtorDeceased { on }).placement_is(Withdrawn);
    due().does(Command::Erase { at: at("2026-05-06") }).placement_is(Withdrawn);
    let out = due().released_by("ute").released_by("jan");
    out.clone().told(Fact::InsolvencyOpened { on }).placement_is(Recalled);
    out.clone().told(Fact::DebtorDeceased { on }).placement_is(Recalled);
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
