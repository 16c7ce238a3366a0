//! Promises and plans that were kept in time although word of the money came late.

use jiff::civil::Date;
use kulanz_domain::{account::Standing, arrangement::offers, fact::Fact, ids::*, money::Decimal};
use proptest::{prelude::*, sample::select};

use crate::{
    story::{Story, given},
    world::*,
};

/// Late since 2026-07-20 with 1000.00; 1009.22 are open on 2026-08-20.
fn late() -> Story {
    let mut story = Story::new(rules([with_interest()]));
    story.now = at("2026-07-05");
    let mut one = invoice("R-1", eur("1000.00"), "2026-07-19");
    one.due_date_agreed = false;
    let declared = Fact::DefaultDeclared {
        invoice: id("R-1"),
        from: day("2026-07-20"),
        ground: "refusal".into(),
    };
    let story = story.told(debtor(business())).told(Fact::InvoiceIssued { invoice: one });
    story.told(declared).on("2026-08-20")
}

fn promised() -> Story {
    late().promises("Z-1", "2026-09-10")
}

fn planned() -> Story {
    let mut story = late();
    let offered = offers(&with_interest(), amount("1009.22"), day("2026-09-01"));
    story.agree("T-1", &offered[0].1).unwrap();
    story
}

/// The plan's rates on 2026-09-01, 10-01 and 11-01.
fn rates(story: &Story) -> Vec<(String, String)> {
    let plan = &story.account.plans[&PlanId::new("T-1").unwrap()];
    plan.rates.iter().map(|rate| (rate.due_on.to_string(), rate.amount.to_string())).collect()
}

fn decides_on(mut story: Story, when: &str) -> Story {
    story.now = at(when);
    story.decide();
    story
}

#[track_caller]
fn owes_in_all(story: Story, on: &str, expected: &str) -> Story {
    assert_eq!(story.book(|book| book.open_on(day(on))), amount(expected), "open on {on}");
    story
}

fn promise_is(story: &Story) -> Standing {
    story.account.promises[&PromiseId::new("Z-1").unwrap()].standing
}

fn plan_is(story: &Story) -> Standing {
    story.account.plans[&PlanId::new("T-1").unwrap()].standing
}

#[test]
fn a_promise_kept_in_time_is_kept_however_late_word_of_the_money_comes() {
    let broken = decides_on(promised(), "2026-09-15").happened("PromiseBroken", 1);
    let told = paid("P-1", "1009.22", "2026-09-09", None);
    let story = decides_on(broken.on("2026-09-20").told(told), "2026-09-20");
    let story = owes_in_all(story.happened("PromiseKept", 1), "2026-12-31", "0.00");
    let mut story = story.settled("R-1", Some("2026-09-09"));
    assert_eq!(promise_is(&story), Standing::Kept);
    // And the debtor may promise again at once.
    story.record(issued("R-2", "50.00", "2026-09-19")).unwrap();
    story.promise("Z-2", "2026-09-30").unwrap();
}

#[test]
fn a_promise_paid_after_the_patience_or_in_part_stays_broken() {
    for (money, on) in [("1009.22", "2026-09-16"), ("1009.21", "2026-09-09")] {
        let broken = decides_on(promised(), "2026-09-15");
        let told = paid("P-1", money, on, None);
        let story = decides_on(broken.on("2026-09-20").told(told), "2026-09-20");
        assert_eq!(promise_is(&story), Standing::Broken, "{money} on {on}");
        assert!(story.book(|book| book.open_on(day("2026-09-20"))) > Decimal::ZERO);
    }
}

#[test]
fn money_that_went_back_in_time_kept_no_promise_and_what_goes_back_later_did() {
    let kept = || {
        let told = paid("P-1", "1009.22", "2026-09-09", None);
        decides_on(promised().on("2026-09-10").told(told), "2026-09-10")
    };
    let back = |on: &str| decides_on(kept().on(on).told(returned("P-1", on, None)), "2026-09-20");
    assert_eq!(promise_is(&back("2026-09-11")), Standing::Broken);
    assert_eq!(promise_is(&back("2026-09-18")), Standing::Kept);
}

#[test]
fn a_plan_whose_rate_was_paid_in_time_runs_on_when_word_of_it_comes() {
    let broken = decides_on(planned(), "2026-09-10").happened("PlanBroken", 1);
    let all = rates(&broken);
    let told = |story: Story, at: usize, on: &str| {
        let fact = paid(&format!("P-{at}"), &all[at].1, &all[at].0, Some("R-1"));
        decides_on(story.on(on).told(fact), on)
    };
    let story = told(broken, 0, "2026-09-20").happened("PlanResumed", 1);
    assert_eq!(plan_is(&story), Standing::Open);
    let story = told(told(story, 1, "2026-10-01"), 2, "2026-11-01");
    owes_in_all(story.happened("PlanCompleted", 1), "2026-12-31", "0.00")
        .settled("R-1", Some("2026-11-01"));
}

#[test]
fn a_plan_all_of_which_was_paid_in_time_is_completed_when_word_of_it_comes() {
    let mut story = decides_on(planned(), "2026-09-10");
    for (at, (on, money)) in rates(&story).iter().enumerate() {
        story = story.on("2026-12-01").told(paid(&format!("P-{at}"), money, on, Some("R-1")));
    }
    let story = decides_on(story, "2026-12-01").happened("PlanCompleted", 1);
    owes_in_all(story, "2026-12-31", "0.00");
}

#[test]
fn a_plan_broken_by_its_second_rate_ran_until_then() {
    let told = |story: Story, on: &str| {
        let (day, money) = rates(&story)[0].clone();
        decides_on(story.on(on).told(paid("P-0", &money, &day, Some("R-1"))), on)
    };
    let at_once = told(planned(), "2026-09-01");
    let wake = at_once.wake.map(show).unwrap();
    let at_once = decides_on(at_once, &wake);
    let next = at_once.wake.map(show).unwrap();
    let at_once = decides_on(at_once, &next);
    assert_eq!(plan_is(&at_once), Standing::Broken);
    let late = told(decides_on(planned(), "2026-09-10"), "2026-10-20");
    let open = |story: &Story| story.book(|book| book.open_on(day("2026-12-01")));
    assert_eq!((plan_is(&late), open(&late)), (Standing::Broken, open(&at_once)));
}

#[test]
fn a_plan_that_another_has_followed_does_not_come_back() {
    let mut story = decides_on(planned(), "2026-09-10");
    let (first, money) = rates(&story)[0].clone();
    let open = story.book(|book| book.open_on(story.today()));
    let offered = offers(&with_interest(), open, day("2026-09-15"));
    story.agree("T-2", &offered[0].1).unwrap();
    let told = paid("P-0", &money, &first, Some("R-1"));
    let story = decides_on(story.on("2026-09-11").told(told), "2026-09-11");
    assert_eq!(plan_is(&story), Standing::Broken);
}

#[test]
fn a_promise_that_nobody_paid_is_not_kept_by_a_waiver() {
    let waived =
        Fact::Waived { invoice: id("R-1"), on: day("2026-09-20"), amount: None, part: None };
    let story = decides_on(promised(), "2026-09-15").on("2026-09-20").told(waived);
    assert_eq!(promise_is(&decides_on(story, "2026-09-20")), Standing::Broken);
    // What was never owed could not be paid.
    let credited = given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-23")
        .promises("Z-1", "2026-04-10");
    let story = decides_on(credited, "2026-04-20").told(cancelled("R-1", "2026-04-20"));
    assert_eq!(promise_is(&decides_on(story, "2026-04-21")), Standing::Kept);
}

/// Told so many days after it happened.
type Told = (Fact, Date, i32);

fn money() -> impl Strategy<Value = Vec<Told>> {
    let amounts = vec!["1009.22", "509.22", "500.00", "336.40", "252.30", "378.46", "20.00"];
    let one = (select(amounts), 0i32..80, 0i32..60, proptest::option::of((0i32..40, 0i32..60)));
    proptest::collection::vec(one, 0..5).prop_map(|all| {
        let mut facts = Vec::new();
        let on = |days: i32| day("2026-08-21").checked_add(jiff::Span::new().days(days)).unwrap();
        for (at, (money, booked, delay, back)) in all.into_iter().enumerate() {
            let name = format!("P-{at}");
            facts.push((paid(&name, money, &on(booked).to_string(), None), on(booked), delay));
            if let Some((after, delay)) = back {
                let day = on(booked + after);
                facts.push((returned(&name, &day.to_string(), Some("3.00")), day, delay));
            }
        }
        facts
    })
}

/// Looked at each day, told each fact on its day or later.
fn lived(mut story: Story, facts: &[Told], late: bool) -> Story {
    let mut on = story.today();
    while on < day("2027-02-10") {
        story.now = at(&on.to_string());
        for (fact, happened, delay) in facts {
            let delay = if late { *delay } else { 0 };
            if happened.checked_add(jiff::Span::new().days(delay)).unwrap() == on {
                story.record(fact.clone()).unwrap();
            }
        }
        story.decide();
        assert_eq!(story.decide(), [], "what was decided is not decided again");
        on = on.tomorrow().unwrap();
    }
    story
}

/// Standings, and what is open and settled of the claim.
fn end(story: &Story) -> String {
    let promises: Vec<_> = story.account.promises.values().map(|one| one.standing).collect();
    let plans: Vec<_> = story.account.plans.values().map(|p| (p.standing, p.ended_on)).collect();
    let (open, credit) = story.book(|book| (book.open_on(day("2027-02-10")), book.unallocated));
    let settled = story.account.claims[&id("R-1")].settled_on;
    format!("{promises:?} {plans:?} open {open} credit {credit} settled {settled:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn a_promise_ends_the_same_whenever_word_of_the_money_comes(
        mut facts in money(), booked in 0i32..25, delay in 0i32..60,
    ) {
        let on = day("2026-08-21").checked_add(jiff::Span::new().days(booked)).unwrap();
        facts.push((paid("P-all", "1009.22", &on.to_string(), None), on, delay));
        let (at_once, later) = (lived(promised(), &facts, false), lived(promised(), &facts, true));
        prop_assert_eq!(end(&at_once), end(&later));
    }

    #[test]
    fn a_plan_ends_the_same_whenever_word_of_the_money_comes(facts in money()) {
        let (at_once, later) = (lived(planned(), &facts, false), lived(planned(), &facts, true));
        prop_assert_eq!(end(&at_once), end(&later));
    }
}
