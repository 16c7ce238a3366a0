//! Money that goes back before a handoff: whoever thought that it was paid hears of it first.

use kulanz_domain::{
    AccountEvent, Refusal,
    account::{Account, PlacementState::*, Returned},
    decision::{StepState, WaitReason, explain},
    event::Suppression,
    fact::{Channel::Email, DebtorProfile, Fact},
    ids::*,
};

use crate::{
    handoff::due,
    story::{Story, given},
    world::*,
};

/// R-1 of 89.90 after its last call, whose deadline is 30 April.
fn called() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")]).takes_all_to_the_last_call()
}

fn refunded(name: &str, on: &str, money: &str) -> Fact {
    let (payment, on, amount) = (PaymentId::new(name).unwrap(), day(on), eur(money));
    Fact::PaymentRefunded { payment, on, amount }
}

fn went_back() -> WaitReason {
    WaitReason::WentBack(PaymentId::new("P-1").unwrap())
}

#[test]
fn a_chargeback_after_the_last_call_is_told_with_a_deadline_before_anything_is_handed_over() {
    let story = called()
        .on("2026-04-24")
        .told(paid("P-1", "89.90", "2026-04-24", Some("R-1")))
        .on("2026-05-12")
        .told(returned("P-1", "2026-05-12", Some("3.20")))
        .happened("ClaimReopened", 1)
        .takes("last-call", Email)
        .happened("HandoffDue", 0);
    let told = story.last_notice();
    assert_eq!((told.claims[0].principal, told.claims[0].fees), (amount("89.90"), amount("3.20")));
    assert_eq!(told.fee, None, "what comes again costs nothing");
    assert_eq!(told.late_since, None);
    // The deadline ends on 22 May; the 25th is a holiday, and money may be on its way.
    let story = story.on("2026-05-26").waits(WaitReason::NotBefore).until("2026-05-27 00:00");
    let mut story = story.on("2026-05-27");
    story.decide();
    story.happened("HandoffDue", 1).happened("NoticeDecided", 5);
}

#[test]
fn what_comes_again_brings_no_lump_sum_either() {
    let mut policy = with_interest();
    policy.steps[4].lump_sum = true;
    let mut story = Story::new(rules([policy]));
    story.now = at("2026-03-01");
    let who = |one: DebtorProfile| debtor(DebtorProfile { reachable: vec![Email], ..one });
    let story = story.told(who(consumer())).told(issued("R-1", "100.00", "2026-03-15"));
    let story = story.on("2026-03-19").takes("reminder", Email).on("2026-03-30");
    let story = story.takes("mahnung", Email).on("2026-04-14").takes("instalments", Email);
    let story = story.on("2026-04-21").takes("last-call", Email);
    // A business by now, and in default; the last call was before that.
    story
        .told(who(business()))
        .on("2026-04-24")
        .told(paid("P-1", "100.00", "2026-04-24", Some("R-1")))
        .on("2026-05-12")
        .told(returned("P-1", "2026-05-12", None))
        .takes("last-call", Email)
        .owes("R-1", "100.00", "0.00");
}

#[test]
fn the_first_message_after_the_return_says_when_the_money_went_back() {
    let unsaid = |story: &Story, of: &str| {
        let zone = &story.rules.creditor.zone;
        story.account.went_back_unsaid(kulanz_domain::money::Currency::EUR, [&id(of)], zone)
    };
    let story = called()
        .told(issued("R-2", "20.00", "2026-07-30"))
        .told(paid("P-1", "89.90", "2026-04-24", Some("R-1")))
        .on("2026-05-12");
    assert_eq!(unsaid(&story, "R-1"), None);
    let story = story.told(returned("P-1", "2026-05-11", None)).decides("last-call", Email);
    assert_eq!(unsaid(&story, "R-1"), Some(day("2026-05-11")));
    assert_eq!(unsaid(&story, "R-2"), None);
    let story = story.sends();
    assert_eq!(unsaid(&story, "R-1"), None);
}

#[test]
fn an_explanation_says_what_comes_again_and_why() {
    let story = called()
        .on("2026-04-24")
        .told(paid("P-1", "89.90", "2026-04-24", Some("R-1")))
        .on("2026-05-12")
        .told(returned("P-1", "2026-05-12", None));
    let fresh = NoticeId::new("N-look").unwrap();
    let told = explain(&story.account, &story.rules, story.now, &fresh).unwrap();
    let steps = &told.currencies[0].claims[0].steps;
    assert!(matches!(steps[4].state, StepState::Due), "{:?}", steps[4]);
    let waits = StepState::Waits { reason: went_back(), until: None };
    assert_eq!(steps[5].state, waits);
    assert_eq!(told.next.unwrap().step, step("last-call"));
}

#[test]
fn a_message_that_left_after_the_return_is_enough() {
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19")
        .takes("reminder", Email)
        .told(paid("P-1", "89.90", "2026-03-20", Some("R-1")))
        .on("2026-03-30")
        .told(returned("P-1", "2026-03-30", None))
        .takes("mahnung", Email)
        .on("2026-04-13")
        .takes("instalments", Email)
        .on("2026-04-20")
        .takes("last-call", Email);
    let mut story = story.on("2026-05-05");
    story.decide();
    story.happened("HandoffDue", 1).happened("NoticeDecided", 4);
    // One that had named less, since it did not know yet, is none.
    let mut story = called()
        .told(paid("P-1", "30.00", "2026-04-19", Some("R-1")))
        .on("2026-05-05")
        .told(returned("P-1", "2026-04-29", None))
        .takes("last-call", Email);
    story.decide();
    story.happened("HandoffDue", 0);
}

#[test]
fn money_for_another_claim_holds_up_nothing() {
    let story = called().told(issued("R-2", "20.00", "2026-06-30"));
    let mut story = story
        .told(paid("P-1", "20.00", "2026-04-24", Some("R-2")))
        .on("2026-05-05")
        .told(returned("P-1", "2026-05-05", None));
    story.decide();
    story.happened("HandoffDue", 1);
}

#[test]
fn a_placement_that_waits_is_off_the_list_until_the_debtor_was_told() {
    let mut story = called().told(paid("P-1", "30.00", "2026-04-24", Some("R-1"))).on("2026-05-05");
    story.decide();
    let mut story =
        story.placement_is(Due).on("2026-05-06").told(returned("P-1", "2026-05-06", None));
    assert_eq!(story.release("ute"), Err(Refusal::Blocked(Suppression::WentBack)));
    let mut story = story.on("2026-05-07 10:00").takes("last-call", Email).placement_is(Withdrawn);
    let why = story.log.iter().find_map(|event| match event {
        AccountEvent::HandoffWithdrawn { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(why, Some(Suppression::WentBack));
    story.now = at("2026-05-22");
    story.decide();
    let story = story.happened("HandoffDue", 2).released_by("ute").released_by("jan");
    assert!(story.account.placements.values().any(|one| one.state == Released));
}

#[test]
fn what_was_called_back_since_it_was_paid_does_not_go_out_again_unsaid() {
    let story = due().released_by("ute").released_by("jan");
    story
        .told(paid("P-1", "89.90", "2026-05-06", Some("R-1")))
        .placement_is(Recalled)
        .on("2026-05-20")
        .told(returned("P-1", "2026-05-20", None))
        .takes("last-call", Email)
        .happened("HandoffDue", 1);
}

#[test]
fn money_that_we_gave_back_is_told_too() {
    called()
        .told(paid("P-1", "89.90", "2026-04-24", Some("R-1")))
        .on("2026-06-12")
        .told(refunded("P-1", "2026-05-12", "89.90"))
        .takes("last-call", Email)
        .happened("HandoffDue", 0)
        .on("2026-06-20")
        .waits(WaitReason::NotBefore);
}

#[test]
fn where_no_message_can_come_again_nothing_is_handed_over() {
    let mut policy = shop_b2c();
    policy.steps[4].when =
        Some(kulanz_domain::policy::Condition::new("warm", false, false, |_| false));
    policy.steps[2].when = policy.steps[4].when.clone();
    policy.steps[1].when = policy.steps[4].when.clone();
    policy.steps[3].when = policy.steps[4].when.clone();
    called()
        .told(paid("P-1", "89.90", "2026-04-24", Some("R-1")))
        .on("2026-05-12")
        .told(returned("P-1", "2026-05-12", None))
        .under(policy)
        .waits(went_back())
        .until_something_happens();
}

#[test]
fn a_snapshot_of_before_is_read() {
    let mut account = Account::default();
    account.apply_event(&AccountEvent::PaymentReturned {
        payment: PaymentId::new("P-1").unwrap(),
        on: day("2026-05-12"),
        amount: None,
        reason: "AM04".into(),
        fee: Some(amount("3.20")),
        at: Some(at("2026-05-12")),
    });
    let mut json = serde_json::to_value(&account).unwrap();
    json["payments"]["P-1"]["returned"] = serde_json::json!([["2026-05-12", null, "3.20"]]);
    let read: Account = serde_json::from_value(json).unwrap();
    let Returned { on, amount: part, fee, .. } = read.payments.values().next().unwrap().returned[0];
    assert_eq!((on, part, fee), (day("2026-05-12"), None, Some(amount("3.20"))));
}
