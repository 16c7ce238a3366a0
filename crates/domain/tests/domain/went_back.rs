//! Money that goes back before a handoff: whoever thought that it was paid hears of it first.

use kulanz_domain::{
    AccountEvent, Refusal,
    account::{Account, PlacementState::*, Returned},
    decision::{StepState, WaitReason, explain},
    event::Suppression,
    fact::{Channel::Email, DebtorProfile, Fact, Stamp},
    ids::*,
    money::Currency,
    policy::Condition,
    went_back::Reassigned,
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
        story.account.went_back_unsaid(Currency::EUR, [&id(of)], zone)
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
fn a_claim_that_loses_its_money_to_another_whose_money_went_back_is_told_too() {
    let story = given([issued("R-1", "50.00", "2026-03-14"), issued("R-2", "89.90", "2026-03-15")]);
    story
        .takes_all_to_the_last_call()
        .told(paid("P-1", "50.00", "2026-04-22", None))
        .told(paid("P-2", "95.00", "2026-04-23", None))
        .settled("R-1", Some("2026-04-22"))
        .settled("R-2", Some("2026-04-23"))
        .on("2026-05-12")
        .told(returned("P-1", "2026-05-12", None))
        // What was left of the second payment pays the older claim by law.
        .owes("R-1", "0.00", "0.00")
        .owes("R-2", "44.90", "0.00")
        .takes("last-call", Email)
        .happened("HandoffDue", 0);
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

/// R-1 was paid after its last call, the money went back, and no step may come again.
fn nothing_comes_again() -> Story {
    let mut policy = shop_b2c();
    for step in &mut policy.steps[1..5] {
        step.when = Some(Condition::new("warm", false, false, |_| false));
    }
    called()
        .told(paid("P-1", "89.90", "2026-04-24", Some("R-1")))
        .on("2026-05-12")
        .told(returned("P-1", "2026-05-12", None))
        .under(policy)
        .waits(went_back())
        .until_something_happens()
}

/// What the log said last of a claim that a person has to tell the debtor of.
fn listed(story: &Story) -> Option<(&str, &str)> {
    let told = story.log.iter().rev().find_map(|event| match event {
        AccountEvent::ReopeningUntold { invoice, payment, .. } => Some((invoice, payment)),
        _ => None,
    });
    let (invoice, payment) = told?;
    assert_eq!(story.account.untold.contains_key(invoice), payment.is_some());
    Some((invoice.as_str(), payment.as_ref()?.as_str()))
}

#[test]
fn where_no_message_can_come_again_nothing_is_handed_over_and_a_person_hears_of_it_once() {
    let story = nothing_comes_again().on("2026-05-13").waits(went_back());
    assert_eq!(listed(&story), Some(("R-1", "P-1")));
    let story = story.happened("ReopeningUntold", 1);
    assert_eq!(story.account.untold[&id("R-1")].since, day("2026-05-12"));
}

#[test]
fn nobody_is_asked_to_tell_what_a_message_tells_by_itself() {
    called()
        .told(paid("P-1", "89.90", "2026-04-24", Some("R-1")))
        .on("2026-05-12")
        .told(returned("P-1", "2026-05-12", None))
        .takes("last-call", Email)
        .on("2026-05-27")
        .happened("ReopeningUntold", 0);
}

#[test]
fn what_a_person_has_told_takes_the_claim_off_the_list_and_leaves_the_days_of_the_ladder() {
    // A word that is no demand, or that stands for no step, tells nothing.
    let story = nothing_comes_again().on("2026-05-20 12:00");
    let story = story.told(shop_reminded("S-1", "2026-05-20 11:00", "R-1", None));
    let mut story = story.waits(went_back());
    assert_eq!(listed(&story), Some(("R-1", "P-1")));
    story = story.told(shop_reminded("S-2", "2026-05-20 11:30", "R-1", Some("last-call")));
    let story = story.waits(WaitReason::NotBefore).until("2026-06-03 00:00");
    assert_eq!(listed(&story), None);
    let mut story = story.on("2026-06-03");
    story.decide();
    story.happened("HandoffDue", 1).happened("ReopeningUntold", 2);
}

#[test]
fn whatever_ends_the_wait_takes_the_claim_off_the_list() {
    let begun = nothing_comes_again().on("2026-05-20 12:00");
    let waived =
        || Fact::Waived { invoice: id("R-1"), on: day("2026-05-20"), amount: None, part: None };
    let ends = [
        (paid("P-2", "89.90", "2026-05-20", Some("R-1")), WaitReason::NothingOwed),
        (waived(), WaitReason::NothingOwed),
        (disputed("D-1", "R-1", "2026-05-20", None), WaitReason::Disputed),
        (hold("H-1", Some("R-1"), None), WaitReason::OnHold(HoldId::new("H-1").unwrap())),
        (hold("H-1", None, None), WaitReason::OnHold(HoldId::new("H-1").unwrap())),
        (Fact::InsolvencyOpened { on: day("2026-05-20") }, WaitReason::Insolvent),
    ];
    for (fact, reason) in ends {
        let story = begun.clone().told(fact.clone()).waits(reason);
        assert_eq!(listed(&story), None, "{fact:?}");
        story.happened("ReopeningUntold", 2);
    }
    // A hold that ends, and it waits again.
    let story = begun
        .told(hold("H-1", None, Some("2026-05-25")))
        .waits(WaitReason::OnHold(HoldId::new("H-1").unwrap()));
    let story = story.on("2026-05-26").waits(went_back());
    assert_eq!(listed(&story), Some(("R-1", "P-1")));
    // By another policy a step comes again.
    let story = story.under(shop_b2c()).takes("last-call", Email);
    assert_eq!(listed(&story), None);
}

fn assigned(to: &str, invoice: Option<&str>) -> Fact {
    let (payment, invoice) = (PaymentId::new("P-1").unwrap(), invoice.map(id));
    Fact::PaymentAssigned { payment, to: to.parse().unwrap(), invoice }
}

const OWN: &str = "lindenmoor/D-1";
const OTHER: &str = "lindenmoor/D-2";

fn stamp(when: &str) -> Stamp {
    Stamp { at: at(when), id: format!("shop#{when}") }
}

#[test]
fn what_is_assigned_elsewhere_is_told_before_a_handoff_whichever_word_comes_first() {
    let ways = [
        vec![assigned(OTHER, None)],
        vec![assigned(OWN, Some("R-2"))],
        vec![assigned(OWN, Some("R-2")), assigned(OTHER, None)],
    ];
    for elsewhere in ways {
        for in_order in [true, false] {
            // The shop had said that it is for R-1, and the debtor was at ease.
            let payment = paid("P-1", "89.90", "2026-04-24", Some("R-1"));
            let mut story = called().told(issued("R-2", "120.00", "2026-08-30"));
            story.now = at("2026-05-12");
            let days = ["2026-04-24", "2026-05-10", "2026-05-11"];
            let facts = std::iter::once(payment).chain(elsewhere.clone());
            let mut words: Vec<_> = facts.zip(days).collect();
            if !in_order {
                words.reverse();
            }
            for (fact, when) in words {
                story.record_as(fact, stamp(when)).unwrap();
            }
            let story = story.owes("R-1", "89.90", "0.00").takes("last-call", Email);
            let story = story.happened("HandoffDue", 0);
            let told = story.last_notice();
            assert_eq!((told.claims[0].principal, &told.fee), (amount("89.90"), &None));
            let story = story.on("2026-05-26").waits(WaitReason::NotBefore);
            let mut story = story.on("2026-05-27");
            story.decide();
            story.happened("HandoffDue", 1).happened("NoticeDecided", 5);
        }
    }
}

#[test]
fn the_first_message_after_an_assignment_says_so_and_of_another_accounts_payment_nothing_more() {
    let unsaid = |story: &Story, of: &str| {
        let zone = &story.rules.creditor.zone;
        story.account.reassigned_unsaid(Currency::EUR, [&id(of)], zone)
    };
    let paid_for_r1 = || {
        let payment = paid("P-1", "89.90", "2026-04-24", Some("R-1"));
        let story = called().told(issued("R-2", "120.00", "2026-08-30"));
        story.told(issued("R-3", "120.00", "2026-08-30")).told(payment).on("2026-05-12")
    };
    let on = day("2026-05-12");
    let own = Some((day("2026-04-24"), eur("89.90")));
    // Whose it is counts in the end: what is told of it is the debtor's own, or nothing.
    for (words, expected) in [
        (vec![assigned(OTHER, None)], Some(None)),
        (vec![assigned(OWN, Some("R-2"))], Some(own)),
        (vec![assigned(OWN, None), assigned(OWN, Some("R-2"))], Some(own)),
        (vec![assigned(OWN, Some("R-2")), assigned(OTHER, None)], Some(None)),
        (vec![assigned(OTHER, None), assigned(OWN, Some("R-1"))], None),
        (vec![assigned(OWN, Some("R-1"))], None),
    ] {
        let mut story = paid_for_r1();
        assert_eq!(unsaid(&story, "R-1"), None);
        for (word, when) in words.iter().zip(["2026-05-12 08:00", "2026-05-12 09:00"]) {
            story.record_as(word.clone(), stamp(when)).unwrap();
        }
        assert_eq!(unsaid(&story, "R-3"), None, "{words:?}");
        let expected = expected.map(|own| Reassigned { on, own });
        assert_eq!(unsaid(&story, "R-1"), expected, "{words:?}");
        if expected.is_some() {
            let story = story.decides("last-call", Email);
            assert_eq!(unsaid(&story, "R-1"), expected, "{words:?}");
            assert_eq!(unsaid(&story.sends(), "R-1"), None, "{words:?}");
        }
    }
    // Paid anew it is not spoken of, nor is the claim that would have got what was over.
    let story = paid_for_r1().told(assigned(OTHER, None));
    let story = story.told(paid("P-2", "89.90", "2026-05-12", Some("R-1")));
    assert_eq!((unsaid(&story, "R-1"), unsaid(&story, "R-2")), (None, None));
    // What a bank sends back is told as that.
    let story = paid_for_r1().told(returned("P-1", "2026-05-12", None));
    assert_eq!(unsaid(&story, "R-1"), None);
}

#[test]
fn what_was_assigned_by_hand_and_then_elsewhere_is_told_in_either_order() {
    // It was for R-2, the shop had said. A person said R-1, and in the afternoon R-2 again.
    let by_hand = (assigned(OWN, Some("R-1")), stamp("2026-04-25 10:00"));
    let corrected = (assigned(OWN, Some("R-2")), stamp("2026-04-25 15:00"));
    for first_word_first in [true, false] {
        let mut story = called().told(issued("R-2", "120.00", "2026-08-30")).on("2026-04-24");
        story = story.told(paid("P-1", "12.00", "2026-04-24", Some("R-2"))).on("2026-05-05");
        let words = [by_hand.clone(), corrected.clone()];
        let words: Vec<_> = match first_word_first {
            true => words.to_vec(),
            false => words.into_iter().rev().collect(),
        };
        for (fact, stamp) in words {
            story.record_as(fact, stamp).unwrap();
        }
        let story = story.owes("R-1", "89.90", "0.00").owes("R-2", "108.00", "0.00");
        story.takes("last-call", Email).happened("HandoffDue", 0);
    }
}

#[test]
fn an_assignment_that_takes_nothing_from_a_claim_holds_up_nothing() {
    // To where it was anyway, and of money that had paid another claim.
    for (payment, word) in [
        (paid("P-1", "30.00", "2026-04-24", Some("R-1")), assigned(OWN, Some("R-1"))),
        (paid("P-1", "20.00", "2026-04-24", Some("R-2")), assigned(OTHER, None)),
        (paid("P-1", "20.00", "2026-04-24", Some("R-2")), assigned(OWN, Some("R-1"))),
    ] {
        let story = called().told(issued("R-2", "20.00", "2026-08-30")).told(payment);
        let mut story = story.on("2026-05-05").told(word.clone());
        story.decide();
        let story = story.happened("HandoffDue", 1);
        assert!(story.account.payments.values().all(|one| one.assigned.is_some()), "{word:?}");
    }
}

#[test]
fn a_placement_that_waits_leaves_the_list_where_money_for_it_is_assigned_elsewhere() {
    let mut story = called().told(paid("P-1", "30.00", "2026-04-24", Some("R-1"))).on("2026-05-05");
    story.decide();
    let story = story.placement_is(Due).on("2026-05-06").told(assigned(OTHER, None));
    let story = story.on("2026-05-07 10:00").takes("last-call", Email).placement_is(Withdrawn);
    assert_eq!(story.last_notice().claims[0].principal, amount("89.90"));
}

#[test]
fn assignments_of_an_earlier_version_are_read_and_hold_a_handoff_up_as_well() {
    let story = called().told(paid("P-1", "89.90", "2026-04-24", Some("R-1")));
    let mut story = story.on("2026-05-06").told(assigned(OTHER, None));
    let mut json = serde_json::to_value(&story.account).unwrap();
    let known = json["payments"]["P-1"].as_object_mut().unwrap();
    assert_eq!(known.remove("assignments").unwrap().as_object().unwrap().len(), 1, "told_at");
    let before: Account = serde_json::from_value(json).unwrap();
    let event = story.log.iter().find(|event| event.kind() == "PaymentAssigned");
    let mut json = serde_json::to_value(event.unwrap()).unwrap();
    assert!(json["PaymentAssigned"].as_object_mut().unwrap().remove("at").is_some());
    let mut again = story.account.clone();
    again.payments.get_mut(&PaymentId::new("P-1").unwrap()).unwrap().assigned = None;
    again.apply_event(&serde_json::from_value(json).unwrap());
    assert_eq!(again.payments, before.payments);
    story.start_from(before);
    story.on("2026-05-07").takes("last-call", Email).happened("HandoffDue", 0);
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
