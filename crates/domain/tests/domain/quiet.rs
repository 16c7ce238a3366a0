//! Steps that send nothing: they happen on their day, give later steps a day to count from, and
//! reach nobody.

use std::num::NonZeroU32;

use kulanz_domain::{
    AccountEvent,
    claim::StepTaken,
    contact::ContactCap,
    decision::{Due, StepState, WaitReason, explain},
    fact::{Channel::*, *},
    ids::*,
    policy::*,
};

use crate::{story::*, world::*};

/// reminder, mahnung, review (nothing is sent), inkasso.
fn reviewed() -> Policy {
    let mut policy = shop_b2c();
    let agency = AgencyId::new("nordinkasso").unwrap();
    let hand_off = StepAction::HandOff { agency, release: Release::FourEyes };
    policy.steps = vec![
        rung("reminder", StepAction::Reminder, moment(Anchor::Due, 4)),
        rung("mahnung", StepAction::Mahnung, moment(Anchor::Step(0), 10)),
        rung("review", StepAction::Quiet, moment(Anchor::Step(1), 7)),
        rung("inkasso", hand_off, moment(Anchor::Step(2), 7)),
    ];
    policy
}

fn warned() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")])
        .under(reviewed())
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-30 10:00")
        .takes("mahnung", Email)
}

#[test]
fn a_quiet_step_happens_as_its_day_begins_and_reaches_nobody() {
    let story = warned().on("2026-03-31").waits(WaitReason::NotBefore).until("2026-04-06 00:00");
    let before = (story.account.contacts.clone(), story.account.notices.len());
    // A holiday, Easter Monday, at midnight: no message would leave.
    let story =
        story.on("2026-04-06 00:00").passes("review", &["R-1"]).owes("R-1", "89.90", "0.00");
    assert_eq!((story.account.contacts.clone(), story.account.notices.len()), before);
    let claim = &story.account.claims[&id("R-1")];
    assert_eq!(claim.last_step().unwrap().step, step("review"));
    assert!(claim.pending.is_none());
    story.on("2026-04-06 00:01").waits(WaitReason::NotBefore).until("2026-04-13 00:00");
}

#[test]
fn a_new_due_date_puts_it_off_until_the_claim_is_late_again() {
    warned()
        .on("2026-04-01")
        .told(rescheduled("R-1", "2026-05-15"))
        .on("2026-04-06 00:00")
        .waits(WaitReason::NotBefore)
        .until("2026-05-16 00:00");
}

#[test]
fn a_quiet_step_starts_no_default() {
    let mut policy = reviewed();
    policy.steps = vec![rung("review", StepAction::Quiet, moment(Anchor::Due, 4))];
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .under(policy)
        .on("2026-03-19 00:00")
        .passes("review", &["R-1"])
        .happened("DefaultBegins", 0)
        .happened("FeeCharged", 0);
    assert!(story.account.claims[&id("R-1")].default_by_notice.is_none());
}

#[test]
fn it_needs_no_channel_and_no_room_below_the_cap_of_contacts() {
    let mut policy = reviewed();
    policy.cap = ContactCap { times: NonZeroU32::MIN, within_days: NonZeroU32::new(60).unwrap() };
    policy.steps[1].action = StepAction::Quiet;
    let nobody = DebtorProfile { reachable: Vec::new(), ..consumer() };
    given([issued("R-1", "89.90", "2026-03-15")])
        .under(policy)
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .told(debtor(nobody))
        .on("2026-03-29 00:00")
        .passes("mahnung", &["R-1"]);
}

#[test]
fn claims_of_one_day_take_it_together_and_each_only_once() {
    let mut policy = reviewed();
    policy.steps = vec![rung("review", StepAction::Quiet, moment(Anchor::Due, 4))];
    let mut story =
        given([issued("R-1", "89.90", "2026-03-15"), issued("R-2", "20.00", "2026-03-15")])
            .under(policy)
            .on("2026-03-19 00:00")
            .passes("review", &["R-1", "R-2"]);
    assert!(story.decide().is_empty());
    story.waits(WaitReason::TopOfLadder);
}

#[test]
fn nothing_passes_while_it_is_disputed_or_on_hold_or_before_a_deadline_that_was_told() {
    let dispute = DisputeId::new("S-1").unwrap();
    warned()
        .on("2026-04-02")
        .told(disputed("S-1", "R-1", "2026-04-02", None))
        .on("2026-04-10")
        .waits(WaitReason::Disputed)
        .told(Fact::DisputeResolved {
            dispute,
            invoice: id("R-1"),
            on: day("2026-04-10"),
            outcome: DisputeOutcome::Rejected,
            amount: None,
        })
        .passes("review", &["R-1"]);
    let mut told = reviewed();
    told.steps[1].deadline = Some(kulanz_domain::calendar::Span::Days(10));
    given([issued("R-1", "89.90", "2026-03-15")])
        .under(told)
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-30 10:00")
        .takes("mahnung", Email)
        .on("2026-04-07")
        .waits(WaitReason::NotBefore)
        .until("2026-04-13 00:00"); // 9 April and two business days
}

#[test]
fn a_hand_off_behind_a_quiet_step_insists_on_the_message_before_it() {
    let taken = AccountEvent::StepTaken {
        step: step("review"),
        claims: vec![id("R-1")],
        persona: PersonaName::new("everyone").unwrap(),
        policy: reviewed().reference,
        at: at("2026-04-06 00:00"),
    };
    let mut unwarned = given([issued("R-1", "89.90", "2026-03-15")]).under(reviewed());
    let mut account = unwarned.account.clone();
    account.apply_event(&taken);
    unwarned.start_from(account);
    unwarned.on("2026-05-06").waits(WaitReason::StepMissing(step("mahnung")));
    let mut story = warned().on("2026-04-06 00:00").passes("review", &["R-1"]).on("2026-04-13");
    let due = story.decide();
    assert!(due.iter().any(|event| event.kind() == "HandoffDue"), "{due:?}");
}

#[test]
fn a_message_that_bounces_takes_the_quiet_steps_behind_it_along() {
    let story = warned().on("2026-04-06 00:00").passes("review", &["R-1"]);
    let notice = story.last_notice().notice.clone();
    let receipt =
        Fact::NoticeReceipt { notice, channel: Email, at: story.now, receipt: Receipt::Bounced };
    let story = story.told(receipt);
    let steps: Vec<&str> =
        story.account.claims[&id("R-1")].steps.iter().map(|one| one.step.as_str()).collect();
    assert_eq!(steps, ["reminder"]);
    // The Mahnung goes out anew by the next channel, and the review counts from it.
    story
        .on("2026-04-07 10:00")
        .takes("mahnung", Sms)
        .on("2026-04-08")
        .waits(WaitReason::NotBefore)
        .until("2026-04-14 00:00");
}

#[test]
fn two_messages_never_share_a_day_whatever_lies_between_them() {
    let mut policy = reviewed();
    policy.steps[1].at = moment(Anchor::Step(0), 0);
    policy.steps[1].action = StepAction::Quiet;
    policy.steps[2] = rung("mahnung", StepAction::Mahnung, moment(Anchor::Step(1), 0));
    policy.steps.truncate(3);
    given([issued("R-1", "89.90", "2026-03-15")])
        .under(policy)
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .passes("mahnung", &["R-1"])
        .waits(WaitReason::NotBefore)
        .until("2026-03-20 09:00");
}

#[test]
fn steps_that_were_held_up_keep_their_distance_across_a_quiet_one() {
    let mut policy = reviewed();
    policy.steps = vec![
        rung("reminder", StepAction::Reminder, moment(Anchor::Due, 4)),
        rung("review", StepAction::Quiet, moment(Anchor::Due, 10)),
        rung("mahnung", StepAction::Mahnung, moment(Anchor::Due, 20)),
    ];
    given([issued("R-1", "89.90", "2026-03-15")])
        .under(policy)
        .on("2026-04-22 10:00")
        .takes("reminder", Email)
        .waits(WaitReason::NotBefore)
        .until("2026-04-28 00:00")
        .on("2026-04-28 00:00")
        .passes("review", &["R-1"])
        .waits(WaitReason::NotBefore)
        .until("2026-05-08 09:00");
}

#[test]
fn an_explanation_tells_that_it_is_due_and_that_it_happened() {
    let story = warned();
    let fresh = NoticeId::new("N-look").unwrap();
    let rules = story.rules.clone();
    let told = explain(&story.account, &rules, at("2026-04-01"), &fresh).unwrap();
    let next = told.next.unwrap();
    assert_eq!((next.step.as_str(), next.kind.as_str(), next.channel), ("review", "nothing", None));
    assert_eq!(next.at, at("2026-04-06 00:00"));
    let told = explain(&story.account, &rules, at("2026-04-06 00:00"), &fresh).unwrap();
    let Some(Due::Quiet(due)) = &told.due else { panic!("{told:?}") };
    assert_eq!(due.claims, [id("R-1")]);
    let review = |told: &kulanz_domain::decision::Explanation| {
        told.currencies[0].claims[0].steps[2].state.clone()
    };
    assert_eq!(review(&told), StepState::Due);
    let story = story.on("2026-04-06 00:00").passes("review", &["R-1"]);
    let told = explain(&story.account, &rules, at("2026-04-07"), &fresh).unwrap();
    let StepState::Happened(happened) = review(&told) else { panic!("{told:?}") };
    assert_eq!((happened.notice, happened.channel), (None, None));
}

/// Snapshots of before name a notice for every step.
#[test]
fn a_step_as_it_was_stored_before_is_read() {
    let stored =
        r#"{"step":"reminder","notice":"N-1","at":"2026-03-19T09:00:00Z","deadline":null}"#;
    let read: StepTaken = serde_json::from_str(stored).unwrap();
    assert_eq!(read.notice, Some(NoticeId::new("N-1").unwrap()));
    assert_eq!(serde_json::to_string(&read).unwrap(), stored);
}
