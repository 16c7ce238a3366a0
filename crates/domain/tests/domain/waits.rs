//! Each reason for doing nothing, with the moment at which it is looked at again.

use kulanz_domain::{
    Command,
    account::NoticeState,
    decision::WaitReason::{self, *},
    fact::{Channel::*, *},
    ids::*,
    money::Currency,
    policy::{Anchor, Bundle},
};

use crate::{
    story::{Story, given},
    world::*,
};

/// An invoice of 89.90 due on Sunday, 15 March 2026.
fn overdue() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")])
}

/// The same after its reminder of Thursday, 19 March.
fn reminded() -> Story {
    overdue().on("2026-03-19 09:00").takes("reminder", Email)
}

#[test]
fn before_its_moment_a_step_waits_for_the_next_opening() {
    overdue().on("2026-03-16").waits(NotBefore).until("2026-03-19 09:00");
    // Ten days after the reminder is Sunday, the 29th.
    reminded()
        .on("2026-03-28")
        .waits(NotBefore)
        .until("2026-03-30 09:00")
        .on("2026-03-30 09:00")
        .takes("mahnung", Email);
}

#[test]
fn a_window_that_is_closed_is_waited_for() {
    overdue().on("2026-03-19 20:30").waits(OutsideWindow).until("2026-03-20 09:00");
    overdue().on("2026-03-21 18:30").waits(OutsideWindow).until("2026-03-23 09:00");
    // Good Friday, then Easter Monday.
    overdue().on("2026-04-03 10:00").waits(OutsideWindow).until("2026-04-04 09:00");
    overdue().on("2026-04-06 10:00").waits(OutsideWindow).until("2026-04-07 09:00");
}

#[test]
fn the_holidays_where_the_debtor_lives_count_as_well() {
    // Epiphany is a holiday in Bavaria, not in the creditor's state.
    let bavarian = DebtorProfile { region: Some("BY".into()), ..consumer() };
    given([issued("R-1", "89.90", "2026-01-02")])
        .told(debtor(bavarian))
        .on("2026-01-06 10:00")
        .waits(OutsideWindow)
        .until("2026-01-07 09:00");
    given([issued("R-1", "89.90", "2026-01-02")]).on("2026-01-06 10:00").takes("reminder", Email);
}

#[test]
fn the_window_is_in_the_debtors_zone() {
    let abroad = DebtorProfile {
        country: "US".into(),
        region: None,
        timezone: Some("America/New_York".into()),
        ..consumer()
    };
    overdue()
        .told(debtor(abroad))
        .on("2026-03-20 10:00")
        .waits(OutsideWindow)
        .until("2026-03-20 14:00"); // nine o'clock in New York, which is on summer time already
}

#[test]
fn the_day_of_a_step_is_the_creditors_also_where_it_is_still_the_evening_before() {
    let abroad = DebtorProfile { timezone: Some("America/New_York".into()), ..consumer() };
    given([issued("R-1", "89.90", "2026-04-13")])
        .told(debtor(abroad))
        .on("2026-04-15")
        .waits(NotBefore)
        .until("2026-04-17 00:00") // six o'clock in the evening, and open
        .on("2026-04-16 23:59")
        .waits(NotBefore)
        .on("2026-04-17 00:00")
        .takes("reminder", Email);
}

#[test]
fn a_wish_for_hours_narrows_the_window_unless_it_leaves_nothing() {
    let evenings = DebtorProfile { hours: Some("17:00-21:00".into()), ..consumer() };
    overdue()
        .told(debtor(evenings))
        .on("2026-03-20 10:00")
        .waits(OutsideWindow)
        .until("2026-03-20 17:00");
    let nights = DebtorProfile { hours: Some("22:00-23:00".into()), ..consumer() };
    overdue().told(debtor(nights)).on("2026-03-20 10:00").takes("reminder", Email);
}

#[test]
fn two_contacts_in_seven_days_are_enough_whoever_made_them() {
    overdue()
        .told(shop_reminded("S-1", "2026-03-16 10:00", "R-1", None))
        .told(shop_reminded("S-2", "2026-03-17 11:00", "R-1", None))
        .on("2026-03-19 10:00")
        .waits(ContactCap)
        .until("2026-03-23 10:00");
}

#[test]
fn messages_on_their_way_count_as_contacts() {
    let mut policy = shop_b2c();
    policy.bundle = Bundle::Claim;
    let three = ["R-1", "R-2", "R-3"].map(|name| issued(name, "89.90", "2026-03-15"));
    let mut story = given(three).under(policy).on("2026-03-19 10:00");
    let events = story.decide();
    let decided = events.iter().filter(|event| event.kind() == "NoticeDecided").count();
    assert_eq!(decided, 2);
    story.waits(ContactCap).until("2026-03-26 10:00");
}

#[test]
fn nobody_writes_to_an_account_that_was_erased_insolvent_or_whose_debtor_died() {
    let story = reminded().on("2026-03-30 10:00");
    let on = day("2026-03-29");
    story.clone().told(Fact::InsolvencyOpened { on }).waits(Insolvent).until_something_happens();
    story.clone().told(Fact::DebtorDeceased { on }).waits(Deceased).until_something_happens();
    story.does(Command::Erase { at: at("2026-03-29") }).waits(Erased).until_something_happens();
}

#[test]
fn an_unknown_debtor_is_waited_for() {
    let mut story = Story::new(rules([shop_b2c()]));
    story.record(issued("R-1", "89.90", "2026-03-15")).unwrap();
    story.on("2026-03-19").waits(DebtorUnknown).told(debtor(consumer())).takes("reminder", Email);
}

#[test]
fn a_hold_on_the_account_or_the_claim_stops_until_it_ends() {
    let name = HoldId::new("H-1").unwrap();
    for invoice in [None, Some("R-1")] {
        overdue()
            .told(hold("H-1", invoice, Some("2026-03-25")))
            .on("2026-03-25 10:00")
            .waits(OnHold(name.clone()))
            .until("2026-03-26 00:00")
            .on("2026-03-26 10:00")
            .takes("reminder", Email);
        overdue()
            .told(hold("H-1", invoice, None))
            .on("2026-03-25 10:00")
            .waits(OnHold(name.clone()))
            .until_something_happens()
            .told(hold_released("H-1"))
            .takes("reminder", Email);
    }
    let other = [issued("R-1", "89.90", "2026-03-15"), issued("R-2", "20.00", "2026-03-15")];
    let story = given(other).told(hold("H-1", Some("R-1"), None)).on("2026-03-19");
    let story = story.takes("reminder", Email);
    let claims = &story.last_notice().claims;
    assert_eq!(claims.iter().map(|one| one.invoice.as_str()).collect::<Vec<_>>(), ["R-2"]);
}

#[test]
fn a_promise_and_a_plan_give_time() {
    let promise = PromiseId::new("Z-1").unwrap();
    reminded()
        .on("2026-03-23")
        .promises("Z-1", "2026-04-10")
        .on("2026-03-30 10:00")
        .waits(Promised(promise))
        .until("2026-04-15 00:00"); // the 10th is a Friday, two business days for the transfer
    let policy = shop_b2c();
    let story = reminded().on("2026-03-23");
    let offered = kulanz_domain::arrangement::offers(&policy, amount("89.90"), day("2026-04-01"));
    let mut story = story;
    story.agree("R-1", &offered[0].1).unwrap();
    story
        .on("2026-03-30 10:00")
        .waits(Planned(PlanId::new("R-1").unwrap()))
        .until("2026-04-08 00:00"); // Easter lies in between
}

#[test]
fn claims_in_a_currency_without_a_policy_are_shown_alone() {
    let dollars = Fact::InvoiceIssued { invoice: invoice("R-2", usd("50.00"), "2026-03-15") };
    given([dollars]).on("2026-03-20").waits(NoPolicy(Currency::USD)).until_something_happens();
}

#[test]
fn nothing_owed_is_nothing_to_do() {
    overdue()
        .told(paid("P-1", "89.90", "2026-03-10", Some("R-1")))
        .on("2026-03-20")
        .waits(NothingOwed)
        .until_something_happens();
}

#[test]
fn a_message_on_its_way_or_parked_blocks_its_claim() {
    let story = overdue().on("2026-03-19 09:00").decides("reminder", Email);
    let notice = story.pending();
    let story = story.waits(NoticePending(notice.clone())).until_something_happens();
    let park = |unknown| Command::Park { notice: notice.clone(), outcome_unknown: unknown };
    for unknown in [false, true] {
        let discard = Command::Discard { notice: notice.clone(), by: "ute".into() };
        let parked = story.clone().does(park(unknown));
        parked
            .waits(NoticeParked(notice.clone()))
            .on("2026-03-23 10:00")
            .does(discard)
            .takes("reminder", Email);
    }
    let mut story = story.does(park(true));
    story.confirm(&notice); // a person found out that it did arrive
    assert_eq!(story.account.notices[&notice].state, NoticeState::Sent);
    story.on("2026-03-20").waits(NotBefore);
}

#[test]
fn a_disputed_claim_waits_for_the_shop() {
    overdue()
        .told(disputed("E-1", "R-1", "2026-03-18", None))
        .on("2026-03-19")
        .waits(Disputed)
        .until_something_happens()
        .told(resolved("E-1", "R-1", "2026-03-20", DisputeOutcome::Rejected, None))
        .takes("reminder", Email);
}

#[test]
fn small_amounts_are_shown_not_dunned() {
    given([issued("R-1", "4.99", "2026-03-15")])
        .on("2026-03-20")
        .waits(BelowMinimum)
        .until_something_happens();
    given([issued("R-1", "5.00", "2026-03-15")]).on("2026-03-20").takes("reminder", Email);
}

#[test]
fn a_claim_that_was_old_when_it_was_met_waits_for_a_person() {
    let told_on = |when: &str| {
        let mut story = Story::new(rules([shop_b2c()])).on(when);
        story.record(debtor(consumer())).unwrap();
        story.record(issued("R-1", "89.90", "2026-01-05")).unwrap();
        story
    };
    told_on("2026-03-06").takes("reminder", Email); // sixty days
    let admit = Command::Admit { invoice: id("R-1"), by: "ute".into() };
    let held = told_on("2026-03-07").waits(OldClaim).waits(OldClaim).happened("ClaimHeldBack", 1);
    assert!(held.account.claims[&id("R-1")].held_back);
    let put_off = held.clone().told(rescheduled("R-1", "2026-02-20")).takes("reminder", Email);
    assert!(!put_off.account.claims[&id("R-1")].held_back);
    let admitted = held.does(admit).takes("reminder", Email);
    assert!(!admitted.account.claims[&id("R-1")].held_back);
}

#[test]
fn money_that_waits_on_the_account_covers_a_claim() {
    overdue()
        .told(paid("P-1", "89.90", "2026-03-16", Some("R-7")))
        .keeps_as_credit("89.90")
        .on("2026-03-20")
        .waits(CreditCovers)
        .until_something_happens();
}

/// 12 % a year from the day after the agreed due date on.
fn bears_interest(money: &str, then: impl Fn(Story) -> Story, reason: WaitReason, least: &str) {
    let told = Invoice {
        due_date_agreed: true,
        contract_rate: Some(amount("12")),
        ..invoice("R-1", eur(money), "2026-03-15")
    };
    let story = given([]).under(with_interest()).on("2026-03-01");
    let story = then(story.told(Fact::InvoiceIssued { invoice: told }));
    let story = story.on("2026-03-20").waits(reason.clone());
    let open = |day| story.book(|book| book.open_on(day));
    let mut day = story.today();
    while open(day) < amount(least) {
        day = day.tomorrow().unwrap();
    }
    let before = show(at(&day.yesterday().unwrap().to_string()));
    let story = story.until(&format!("{day} 00:00")).on(&before).waits(reason);
    story.on(&format!("{day} 10:00")).takes("reminder", Channel::Email);
}

#[test]
fn interest_alone_makes_a_small_amount_worth_a_message_on_its_day() {
    bears_interest("4.95", |story| story, BelowMinimum, "5.00");
}

#[test]
fn interest_alone_makes_a_claim_more_than_the_credit_that_covers_it_on_its_day() {
    let waits = |story: Story| story.told(paid("P-1", "91.00", "2026-03-10", Some("R-7")));
    bears_interest("89.90", waits, CreditCovers, "91.01");
}

#[test]
fn a_condition_that_is_false_lets_later_steps_pass() {
    let small = given([issued("R-1", "30.00", "2026-03-15")])
        .on("2026-03-19")
        .takes("reminder", Email)
        .on("2026-03-30")
        .takes("mahnung", Email);
    small
        .on("2026-04-14")
        .waits(ConditionFalse("claim.outstanding >= 50".into()))
        .until("2026-04-20 09:00")
        .on("2026-04-20")
        .takes("last-call", Email);
}

#[test]
fn a_condition_on_the_day_is_looked_at_when_it_comes_true() {
    use kulanz_domain::policy::Condition;
    let mut policy = shop_b2c();
    policy.steps.truncate(2);
    policy.steps[1].when = Some(Condition::new("claim.days_overdue >= 20", true, true, |facts| {
        facts.claim.is_some_and(|claim| claim.days_overdue >= 20)
    }));
    overdue()
        .under(policy)
        .on("2026-03-20")
        .waits(ConditionFalse("claim.days_overdue >= 20".into()))
        .until("2026-04-04 09:00")
        .on("2026-04-04 09:00")
        .takes("reminder", Email);
}

#[test]
fn a_heads_up_that_was_missed_is_gone() {
    let mut policy = shop_b2c();
    policy.steps[0].when = None;
    overdue().under(policy.clone()).on("2026-03-12").takes("heads-up", Email);
    overdue().under(policy).on("2026-03-16").waits(Expired).until("2026-03-19 09:00");
}

#[test]
fn a_handoff_insists_on_the_step_that_it_names() {
    let mut policy = shop_b2c();
    policy.steps[4].when =
        Some(kulanz_domain::policy::Condition::new("no", false, false, |_| false));
    let story = overdue()
        .under(policy)
        .on("2026-03-19")
        .takes("reminder", Email)
        .on("2026-03-30")
        .takes("mahnung", Email)
        .on("2026-04-13")
        .takes("instalments", Email);
    story.on("2026-09-01").waits(StepMissing(step("last-call"))).until_something_happens();
}

#[test]
fn nothing_is_handed_over_before_default() {
    let mut policy = shop_b2c();
    policy.steps = vec![policy.steps[1].clone(), policy.steps[5].clone()];
    policy.steps[1].at = moment(Anchor::Step(0), 14);
    let story = overdue().under(policy.clone()).on("2026-03-19").takes("reminder", Email);
    let story = story.on("2026-04-20").waits(NotInDefault).until_something_happens();
    let refused = Fact::DefaultDeclared {
        invoice: id("R-1"),
        from: day("2026-04-22"),
        ground: "refusal".into(),
    };
    let mut story = story.told(refused).waits(NotInDefault).until("2026-04-22 00:00");
    story = story.on("2026-04-22 00:00");
    assert!(story.decide().iter().any(|event| event.kind() == "HandoffDue"));
}

#[test]
fn a_step_that_counts_from_default_waits_for_it() {
    let mut policy = shop_b2c();
    policy.steps[1].at = moment(Anchor::Default, 3);
    overdue().under(policy).on("2026-04-20").waits(NotInDefault);
}

#[test]
fn the_ladder_has_an_end() {
    let mut policy = shop_b2c();
    policy.steps.truncate(2);
    let story = overdue().under(policy).on("2026-03-19").takes("reminder", Email);
    story.on("2026-06-01").waits(TopOfLadder).until_something_happens();
}

#[test]
fn a_claim_at_an_agency_is_the_agencys() {
    let story = crate::handoff::due();
    let placement = story.placement();
    story.on("2026-06-01").waits(Placed(placement)).until_something_happens();
}

#[test]
fn who_cannot_be_reached_is_not_tried() {
    let silent = DebtorProfile { reachable: vec![Letter], ..consumer() };
    overdue().told(debtor(silent)).on("2026-03-20").waits(NoChannel).until_something_happens();
}
