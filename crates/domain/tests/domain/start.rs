//! A policy meets an existing book: where old claims enter, and how messages are spread.

use kulanz_domain::{
    calendar::Span,
    decision::WaitReason,
    fact::Channel::Email,
    policy::{Entry, Policy},
};

use crate::{
    story::{Story, given},
    world::*,
};

/// Claims overdue for more than 60 days enter at the Mahnung, spread over `days`.
fn enters(days: i32) -> Policy {
    Policy { entry: Some(Entry { step: 2, over: Span::Days(days) }), ..shop_b2c() }
}

fn old_claim(name: &str, policy: Policy) -> Story {
    given([]).under(policy).on("2026-03-02 10:00").told(issued(name, "89.90", "2025-10-01"))
}

#[test]
fn an_old_claim_enters_at_the_step_that_the_policy_names() {
    old_claim("R-1", shop_b2c()).waits(WaitReason::OldClaim);
    let story = old_claim("R-1", enters(0)).takes("mahnung", Email);
    assert_eq!(story.account.claims[&id("R-1")].steps.len(), 1, "the reminder is passed over");
    // What follows counts from there, as on any ladder.
    story.on("2026-03-13 10:00").waits(WaitReason::NotBefore).until("2026-03-16 09:00");
}

#[test]
fn young_claims_begin_at_the_bottom_and_a_person_can_let_an_old_one_in() {
    given([])
        .under(enters(0))
        .on("2026-03-23 10:00")
        .told(issued("R-1", "89.90", "2026-03-15"))
        .takes("reminder", Email);
    old_claim("R-1", enters(0))
        .does(kulanz_domain::Command::Admit { invoice: id("R-1"), by: "ute".into() })
        .takes("reminder", Email);
}

#[test]
fn entries_are_spread_by_account_over_the_days_given() {
    let day_of = |name: &str| {
        let mut story = old_claim(name, enters(20));
        let decided = story.decide();
        if decided.iter().any(|event| event.kind() == "NoticeDecided") {
            return "2026-03-02".to_owned();
        }
        show(story.wake.unwrap())[..10].to_owned()
    };
    let days: Vec<String> = (0..60).map(|number| day_of(&format!("R-{number}"))).collect();
    assert!(
        days.iter().all(|day| ("2026-03-02".."2026-03-25").contains(&day.as_str())),
        "{days:?}"
    );
    let mut different = days.clone();
    different.sort_unstable();
    different.dedup();
    assert!(different.len() >= 12, "{different:?}");
    assert_eq!(day_of("R-7"), days[7], "the same account has the same day");
    // Claims of one account enter together, in one message.
    let later = days.iter().position(|day| day.as_str() > "2026-03-04").unwrap();
    let (name, alone) = (format!("R-{later}"), days[later].clone());
    let mut both = old_claim(&name, enters(20)).told(issued("S-2", "50.00", "2025-09-01"));
    both.decide();
    let both = both.on(&format!("{alone} 10:00")).takes("mahnung", Email);
    assert_eq!(both.last_notice().claims.len(), 2);
}

#[test]
fn messages_of_a_day_are_spread_from_the_opening_on() {
    let spread = Policy { spread_minutes: 120, ..shop_b2c() };
    let own = |name: &str| {
        let mut story = given([]).under(spread.clone()).told(issued(name, "89.90", "2026-03-15"));
        story = story.on("2026-03-19 09:00");
        story.decide();
        story.wake.map(show).unwrap_or_else(|| "at once".into())
    };
    let moments: Vec<String> = (0..40).map(|number| own(&format!("R-{number}"))).collect();
    let within =
        |moment: &String| ("2026-03-19 09:00".."2026-03-19 11:00").contains(&moment.as_str());
    assert!(moments.iter().all(within), "{moments:?}");
    let mut different = moments.clone();
    different.sort_unstable();
    different.dedup();
    assert!(different.len() > 20, "{different:?}");
    // Who is due later in the day does not wait for tomorrow.
    given([])
        .under(spread.clone())
        .told(issued("R-1", "89.90", "2026-03-15"))
        .on("2026-03-19 15:00")
        .takes("reminder", Email);
}

#[test]
fn a_step_that_expired_is_passed_over() {
    let mut policy = shop_b2c();
    policy.steps[1].expires = Some(Span::Days(5));
    let late = || given([issued("R-1", "89.90", "2026-03-15")]).under(policy.clone());
    late().on("2026-03-24 10:00").takes("reminder", Email);
    late().on("2026-03-25 10:00").waits(WaitReason::Expired);
    // The next one counts from the day on which the reminder would have been due.
    late().on("2026-03-30 10:00").takes("mahnung", Email);
}
