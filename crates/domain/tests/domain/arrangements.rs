//! Promises and plans.

use kulanz_domain::{
    account::Standing,
    arrangement::{missing_of_rates, offers, rates},
    fact::Channel::Email,
    ids::*,
    money::Currency,
    policy::PlanTerms,
};
use proptest::prelude::*;

use crate::{
    story::{Story, given},
    world::*,
};

fn promised() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19 09:00")
        .takes("reminder", Email)
        .on("2026-03-23")
        .promises("Z-1", "2026-04-10")
}

fn standing(story: &Story) -> Standing {
    story.account.promises[&PromiseId::new("Z-1").unwrap()].standing
}

#[test]
fn a_promise_is_broken_only_when_a_transfer_cannot_be_on_its_way_any_more() {
    let mut story = promised().on("2026-04-14 23:00");
    story.decide();
    assert_eq!(standing(&story), Standing::Open);
    let mut late = story.clone().on("2026-04-15 00:00");
    late.decide();
    assert_eq!(standing(&late), Standing::Broken);
    let mut paid = story.told(paid("P-1", "89.90", "2026-04-14", None));
    paid.decide();
    assert_eq!(standing(&paid), Standing::Kept);
    paid.on("2026-09-01").waits(kulanz_domain::decision::WaitReason::NothingOwed);
}

#[test]
fn half_of_a_promise_is_not_the_promise() {
    let mut story = promised().told(paid("P-1", "80.00", "2026-04-10", None)).on("2026-04-15");
    story.decide();
    assert_eq!(standing(&story), Standing::Broken);
}

#[test]
fn a_plan_takes_the_place_of_a_promise() {
    let mut story = promised();
    let offered = offers(&shop_b2c(), amount("89.90"), day("2026-04-01"));
    story.agree("R-1", &offered[0].1).unwrap();
    assert_eq!(standing(&story), Standing::Kept);
}

#[test]
fn a_correction_before_the_first_rate_does_not_break_a_plan() {
    let mut story = given([issued("R-1", "89.90", "2026-03-15")]).on("2026-03-23");
    let offered = offers(&shop_b2c(), amount("89.90"), day("2026-04-01"));
    story.agree("R-1", &offered[0].1).unwrap();
    let mut story = story.told(adjusted("R-1", "2026-03-24", "95.00")).on("2026-03-25");
    story.decide();
    assert_eq!(story.account.plans[&PlanId::new("R-1").unwrap()].standing, Standing::Open);
}

/// What is missing of three rates of 25.00, 37.50 and 37.50.
fn missing(story: &Story) -> Vec<String> {
    let plan = &story.account.plans[&PlanId::new("L-1").unwrap()];
    let rates = missing_of_rates(&story.account, plan, story.today());
    let open = story.book(|book| book.open_on(story.today()));
    let sum = rates.iter().map(|(_, missing)| *missing).sum::<kulanz_domain::money::Decimal>();
    assert_eq!(sum, open, "what is missing is what is open");
    rates.iter().map(|(_, missing)| missing.to_string()).collect()
}

#[test]
fn payments_fill_the_rates_from_the_first_on() {
    let mut story = given([issued("R-1", "100.00", "2026-03-15")]).on("2026-03-23");
    let offered = offers(&shop_b2c(), amount("100.00"), day("2026-04-01"));
    story.agree("L-1", &offered[0].1).unwrap();
    let pay = |story: Story, name: &str, money: &str, on: &str| {
        story.on(on).told(paid(name, money, on, Some("R-1")))
    };
    assert_eq!(missing(&story), ["25.00", "37.50", "37.50"]);
    let story = pay(story, "P-1", "40.00", "2026-04-01");
    assert_eq!(missing(&story), ["0.00", "22.50", "37.50"]);
    let story = pay(story, "P-2", "22.50", "2026-05-01");
    assert_eq!(missing(&story), ["0.00", "0.00", "37.50"]);
    // What the bank charged for a payment that went back is due with the last.
    let back = story.on("2026-05-04").told(returned("P-2", "2026-05-04", Some("3.00")));
    assert_eq!(missing(&back), ["0.00", "22.50", "40.50"]);
}

#[test]
fn what_a_correction_adds_is_due_with_the_last_rate() {
    let mut story = given([issued("R-1", "100.00", "2026-03-15")]).on("2026-03-23");
    let offered = offers(&shop_b2c(), amount("100.00"), day("2026-04-01"));
    story.agree("L-1", &offered[0].1).unwrap();
    let more = story.clone().told(adjusted("R-1", "2026-03-24", "110.00")).on("2026-03-25");
    assert_eq!(missing(&more), ["25.00", "37.50", "47.50"]);
    let less = story.told(adjusted("R-1", "2026-03-24", "90.00")).on("2026-03-25");
    assert_eq!(missing(&less), ["15.00", "37.50", "37.50"]);
}

#[test]
fn a_plan_leaves_out_what_is_disputed() {
    let both = [issued("R-1", "89.90", "2026-03-15"), issued("R-2", "60.00", "2026-03-15")];
    let story = given(both).told(disputed("E-1", "R-1", "2026-03-20", None));
    let (claims, open) =
        kulanz_domain::arrangement::plannable(&story.account, Currency::EUR, story.today());
    assert_eq!((claims, open), (vec![id("R-2")], amount("60.00")));
}

#[test]
fn only_plans_whose_rates_are_large_enough_are_offered() {
    let offered = |open: &str| {
        let terms = offers(&shop_b2c(), amount(open), day("2026-04-01"));
        terms.iter().map(|(terms, _)| terms.rates).collect::<Vec<_>>()
    };
    assert_eq!(offered("79.99"), Vec::<u32>::new());
    assert_eq!(offered("80.00"), [3]);
    assert_eq!(offered("120.00"), [3, 6]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rates_add_up_to_what_is_open(
        cents in 1i64..10_000_000, count in 2u32..=36, first in proptest::option::of(1i64..100),
        day_of_month in 1i8..=31, yen in any::<bool>(),
    ) {
        let (currency, scale) = if yen { (Currency::JPY, 0) } else { (Currency::EUR, 2) };
        let open = kulanz_domain::money::Decimal::new(cents, scale);
        let first_percent = first.map(kulanz_domain::money::Decimal::from);
        let terms = PlanTerms { rates: count, first_percent, at_least: amount("0") };
        let first_on = jiff::civil::date(2026, 1, day_of_month);
        let made = rates(&terms, open, currency, first_on).unwrap();
        prop_assert_eq!(made.len(), count as usize);
        prop_assert_eq!(made.iter().map(|r| r.amount).sum::<kulanz_domain::money::Decimal>(), open);
        prop_assert!(made.windows(2).all(|pair| pair[0].due_on < pair[1].due_on));
        prop_assert!(made.iter().all(|rate| rate.amount.scale() <= scale));
    }
}
