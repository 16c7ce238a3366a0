//! Promises and plans.

use kulanz_domain::{
    account::Standing,
    arrangement::{offers, rates},
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
