//! What a new version of a policy leaves alone, and bundles of accounts with several currencies.

use std::num::NonZeroU32;

use kulanz_domain::{
    calendar::Span,
    contact::ContactCap,
    decision::WaitReason,
    fact::{Channel::Email, Fact},
    money::Currency,
    policy::*,
};

use crate::{story::*, world::*};

/// The next version of the shop's policy, in which things go faster.
fn faster() -> Policy {
    let mut policy = shop_b2c();
    policy.reference.version += 1;
    policy.steps[2].deadline = Some(Span::Days(5));
    policy.steps[3].at = moment(Anchor::Step(2), 1);
    policy.steps[4].at = moment(Anchor::Step(2), 2);
    policy
}

fn told() -> Story {
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-30 10:00")
        .takes("mahnung", Email);
    let deadline = story.account.claims[&id("R-1")].told_deadline();
    assert_eq!(deadline, Some(day("2026-04-09")));
    story
}

#[test]
fn a_new_version_keeps_a_deadline_that_was_told() {
    // By its own days the offer would come on 31 March. The debtor was given until 9 April, and
    // money two business days after it.
    told()
        .under(faster())
        .on("2026-03-31 10:00")
        .waits(WaitReason::NotBefore)
        .until("2026-04-13 09:00")
        .on("2026-04-10 10:00")
        .waits(WaitReason::NotBefore)
        .until("2026-04-13 09:00")
        .on("2026-04-13 10:00")
        .takes("instalments", Email);
}

#[test]
fn default_begins_after_the_deadline_that_was_told_whatever_a_new_version_says() {
    let mut slower = faster();
    slower.steps[2].deadline = Some(Span::Days(30));
    for policy in [faster(), slower] {
        let story = told().under(policy).on("2026-04-13 10:00");
        let begun = story.account.claims[&id("R-1")].default_by_notice.clone().unwrap();
        assert_eq!(begun.1, day("2026-04-10"));
        assert_eq!(story.account.claims[&id("R-1")].told_deadline(), Some(day("2026-04-09")));
    }
}

/// The text was rendered from the version that decided: its deadline is the one in force.
#[test]
fn a_message_on_its_way_keeps_the_deadline_it_was_decided_with() {
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-30 10:00")
        .decides("mahnung", Email)
        .under(faster())
        .on("2026-03-30 10:05")
        .sends();
    assert_eq!(story.account.claims[&id("R-1")].told_deadline(), Some(day("2026-04-09")));
}

fn in_dollars() -> Policy {
    let mut policy = shop_b2c();
    policy.reference.name = kulanz_domain::ids::PolicyName::new("shop-usd").unwrap();
    policy.currency = Currency::USD;
    policy
}

/// Two claims in euros, two in dollars, all of one day.
fn in_both() -> Story {
    let dollars = |name: &str, money: &str| Fact::InvoiceIssued {
        invoice: invoice(name, usd(money), "2026-03-15"),
    };
    given([issued("R-1", "89.90", "2026-03-15"), issued("R-2", "20.00", "2026-03-15")])
        .told(dollars("U-1", "50.00"))
        .told(dollars("U-2", "70.00"))
}

fn messages(story: &Story) -> Vec<(&'static str, Vec<&str>)> {
    let decided = story.log.iter().filter_map(notice_of);
    let mut all: Vec<_> = decided
        .map(|one| {
            let claims = one.claims.iter().map(|part| part.invoice.as_str()).collect();
            (one.currency.code(), claims)
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn a_bundle_is_of_one_currency_and_each_currency_has_its_own() {
    let mut story =
        in_both().with(|all| *all = rules([shop_b2c(), in_dollars()])).on("2026-03-19 10:00");
    story.decide();
    assert_eq!(messages(&story), [("EUR", vec!["R-1", "R-2"]), ("USD", vec!["U-1", "U-2"])]);
    for one in story.log.iter().filter_map(notice_of) {
        let policy = if one.currency == Currency::EUR { "shop-b2c" } else { "shop-usd" };
        assert_eq!(one.policy.name.as_str(), policy);
    }
}

#[test]
fn each_policy_bundles_in_its_own_way() {
    let by_claim = Policy { bundle: Bundle::Claim, ..in_dollars() };
    let wide =
        ContactCap { times: NonZeroU32::new(3).unwrap(), within_days: NonZeroU32::new(7).unwrap() };
    let by_claim = Policy { cap: wide, ..by_claim };
    let euros = Policy { cap: wide, ..shop_b2c() };
    let mut story = in_both().with(|all| *all = rules([euros, by_claim])).on("2026-03-19 10:00");
    story.decide();
    assert_eq!(
        messages(&story),
        [("EUR", vec!["R-1", "R-2"]), ("USD", vec!["U-1"]), ("USD", vec!["U-2"])]
    );
}

/// People are contacted, not currencies: the limit counts the messages of both.
#[test]
fn messages_of_both_currencies_count_towards_the_limit() {
    let once = ContactCap { times: NonZeroU32::MIN, within_days: NonZeroU32::new(7).unwrap() };
    let capped = |policy: Policy| Policy { cap: once, ..policy };
    let mut story = in_both()
        .with(|all| *all = rules([capped(shop_b2c()), capped(in_dollars())]))
        .on("2026-03-19 10:00");
    story.decide();
    assert_eq!(messages(&story), [("EUR", vec!["R-1", "R-2"])]);
    let story = story.sends().waits(WaitReason::ContactCap).until("2026-03-26 10:00");
    let mut story = story.on("2026-03-26 10:00");
    story.decide();
    assert_eq!(messages(&story), [("EUR", vec!["R-1", "R-2"]), ("USD", vec!["U-1", "U-2"])]);
}
