//! What an explanation tells of a decision, and that it tells the same as the decision.

use std::sync::Arc;

use kulanz_domain::{
    decision::{
        ClaimExplained, Due, Explanation, FeeLimit, PutOff, StepExplained, StepState, WaitReason,
        explain, play_on,
    },
    fact::Channel::*,
    ids::NoticeId,
    law::{DefaultGround, FeeGuard},
    policy::FactValue,
};

use crate::{
    story::{Story, given},
    world::*,
};

fn explained(story: &Story) -> Explanation {
    let fresh = NoticeId::new("N-explained").unwrap();
    explain(&story.account, &story.rules, story.now, &fresh).unwrap()
}

fn of<'e>(told: &'e Explanation, invoice: &str) -> &'e ClaimExplained {
    told.currencies[0].claims.iter().find(|claim| claim.invoice == id(invoice)).unwrap()
}

fn step<'e>(claim: &'e ClaimExplained, name: &str) -> &'e StepExplained {
    claim.steps.iter().find(|one| one.step.as_str() == name).unwrap()
}

/// An invoice of 89.90 due on Sunday, 15 March 2026.
fn overdue() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")])
}

fn reminded() -> Story {
    overdue().on("2026-03-19 09:00").takes("reminder", Email)
}

#[test]
fn what_comes_next_is_named_with_its_moment_before_it_is_due() {
    let told = explained(&reminded().on("2026-03-26"));
    assert_eq!(told.due, None);
    let next = told.next.as_ref().unwrap();
    assert_eq!((next.step.as_str(), next.channel), ("mahnung", Some(Email)));
    assert_eq!(show(next.at), "2026-03-30 09:00");
    assert_eq!(next.fee, None, "e-mail costs nothing, and default has not begun");
    assert_eq!(told.next_look.map(show).as_deref(), Some("2026-03-30 09:00"));
}

#[test]
fn each_step_says_where_it_stands_and_why() {
    let told = explained(&reminded().on("2026-03-26"));
    let claim = of(&told, "R-1");
    assert_eq!((claim.due_on, claim.late_from), (day("2026-03-15"), day("2026-03-17")));
    assert_eq!(step(claim, "heads-up").state, StepState::Skipped);
    let StepState::Happened(reminder) = &step(claim, "reminder").state else { panic!("{told:?}") };
    assert_eq!((reminder.channel, show(reminder.at).as_str()), (Some(Email), "2026-03-19 09:00"));
    assert!(!reminder.other_policy);
    let mahnung = step(claim, "mahnung");
    assert_eq!(mahnung.when_due, "reminder + 10d");
    assert_eq!(mahnung.counted_from, Some(day("2026-03-19")));
    assert_eq!(mahnung.not_before, Some(day("2026-03-29")));
    let until = Some(at("2026-03-30 09:00"));
    assert_eq!(mahnung.state, StepState::Waits { reason: WaitReason::NotBefore, until });
    let fee = mahnung.fee.as_ref().unwrap();
    assert_eq!((fee.asked, fee.allowed), (amount("2.50"), amount("0")));
    assert_eq!(fee.limited_by, Some(FeeLimit::Law(FeeGuard::NotInDefault)));
    let later = step(claim, "last-call");
    assert_eq!((&later.state, later.not_before), (&StepState::Later, None));
}

#[test]
fn a_fee_in_default_is_capped_by_the_channel_and_a_deadline_puts_the_next_step_off() {
    let story = reminded().on("2026-03-30 09:00").takes("mahnung", Email).on("2026-04-16 10:00");
    let told = explained(&story);
    let claim = of(&told, "R-1");
    let default = claim.default.as_ref().unwrap();
    assert_eq!((default.begun, default.ground), (true, DefaultGround::Notice));
    assert!(default.notice.is_some());
    let offer = step(claim, "instalments");
    assert_eq!(offer.put_off_by, Some(PutOff::Deadline), "{offer:?}");
    let later = explained(&story.takes("instalments", Email).on("2026-04-17"));
    let last_call = step(of(&later, "R-1"), "last-call");
    let fee = last_call.fee.as_ref().unwrap();
    assert_eq!((fee.asked, fee.allowed), (amount("2.50"), amount("0")));
    assert_eq!(fee.limited_by, Some(FeeLimit::Law(FeeGuard::ConsumerCap(Email))));
}

#[test]
fn facts_personas_and_conditions_come_with_their_values() {
    let told = explained(&given([issued("R-1", "30.00", "2026-03-15")]).on("2026-03-26"));
    let one = &told.currencies[0];
    let fact = |name: &str| one.facts.iter().find(|fact| fact.fact == name).unwrap().value.clone();
    assert_eq!(fact("account.open_claims"), Some(FactValue::Count(1)));
    assert_eq!(fact("account.outstanding"), Some(FactValue::Number(amount("30.00"))));
    let personas: Vec<(&str, bool, bool)> =
        one.personas.iter().map(|p| (p.persona.as_str(), p.matches, p.chosen)).collect();
    assert_eq!(
        personas,
        [("regular", false, false), ("business", false, false), ("everyone", true, true)]
    );
    let offer = step(of(&told, "R-1"), "instalments").condition.as_ref().unwrap();
    assert!(!offer.holds && offer.because.iter().all(|part| !part.holds), "{offer:?}");
}

#[test]
fn a_hold_blocks_the_step_that_would_be_due_and_what_follows_it_is_foreseen() {
    let mut story = overdue().on("2026-03-26");
    story.record(hold("S-1", Some("R-1"), Some("2026-04-02"))).unwrap();
    let told = explained(&story);
    let claim = of(&told, "R-1");
    let reminder = step(claim, "reminder");
    let until = Some(at("2026-04-03 00:00"));
    let reason = WaitReason::OnHold("S-1".parse().unwrap());
    assert_eq!(reminder.state, StepState::Blocked { reason, until });
    assert!(claim.blocked.is_some());
    // Good Friday is no day for it.
    assert_eq!(told.next.map(|next| show(next.at)).as_deref(), Some("2026-04-04 09:00"));
}

#[test]
fn the_end_of_a_promise_is_a_moment_at_which_something_can_change() {
    let mut story = overdue().on("2026-03-20");
    story.promise("Z-1", "2026-03-31").unwrap();
    let told = explained(&story);
    assert!(
        told.blocked.as_ref().is_some_and(|one| matches!(one.waits, Some(WaitReason::Promised(_))))
    );
    assert!(told.next_look.is_some_and(|at| at > story.now), "{told:?}");
    let next = told.next.unwrap();
    assert!(next.at >= at("2026-04-01 00:00"), "{next:?}");
}

#[test]
fn contacts_that_count_towards_the_cap_are_listed() {
    let mut story = reminded().on("2026-03-20");
    story.record(shop_reminded("N-shop", "2026-03-20 10:00", "R-1", Some("reminder"))).unwrap();
    story.record(issued("R-2", "40.00", "2026-03-10")).unwrap();
    let told = explained(&story);
    let contact = told.currencies[0].contact.as_ref().unwrap();
    let [policy, law] = contact.caps.as_slice() else { panic!("{contact:?}") };
    assert_eq!((policy.of, policy.counted.len()), ("policy", 2));
    assert_eq!(policy.until.map(show).as_deref(), Some("2026-03-26 09:00"));
    assert_eq!((law.of, law.until), ("law", None));
    let until = Some(at("2026-03-26 09:00"));
    let second = step(of(&told, "R-2"), "reminder");
    assert_eq!(second.state, StepState::Waits { reason: WaitReason::ContactCap, until });
}

#[test]
fn what_is_due_is_the_decision_itself() {
    let story = overdue().on("2026-03-19 09:00");
    let told = explained(&story);
    let fresh = NoticeId::new("N-explained").unwrap();
    let decision =
        kulanz_domain::decision::next_step(&story.account, &story.rules, story.now, &fresh);
    let Some(Due::Notice(due)) = &told.due else { panic!("{told:?}") };
    assert_eq!(kulanz_domain::decision::Action::Notify(due.clone()), decision.action);
    assert_eq!(told.findings, decision.findings);
    assert_eq!(step(of(&told, "R-1"), "reminder").state, StepState::Due);
    assert_eq!(told.next.map(|next| next.at), Some(story.now));
}

#[test]
fn played_on_an_account_climbs_as_if_nobody_said_anything() {
    let story = overdue().on("2026-03-16");
    let rules = Arc::clone(&story.rules);
    let played = play_on(&story.account, &rules, story.now, at("2026-07-01")).unwrap();
    let steps: Vec<&str> =
        played.account.claims[&id("R-1")].steps.iter().map(|taken| taken.step.as_str()).collect();
    assert_eq!(steps, ["reminder", "mahnung", "instalments", "last-call"]);
    assert_eq!(played.account.placements.len(), 1);
    assert!(story.account.notices.is_empty(), "the account itself stays as it is");
}

#[test]
fn an_account_without_debtor_or_policy_is_told_as_well() {
    let mut story = Story::new(rules([]));
    story.record(issued("R-1", "89.90", "2026-03-15")).unwrap();
    let story = story.on("2026-03-26");
    let told = explained(&story);
    assert_eq!((told.due.is_none(), told.next.is_none()), (true, true));
    let one = &told.currencies[0];
    assert_eq!((one.policy.is_none(), one.claims.len(), one.personas.len()), (true, 1, 0));
    assert_eq!(of(&told, "R-1").steps.len(), 0);
}
