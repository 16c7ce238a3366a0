//! From the decision to the gateway's answer and what comes after it.

use std::sync::Arc;

use kulanz_domain::{
    Command, Refusal,
    account::NoticeState,
    calendar::Span,
    contact::ContactCap,
    decision::{Recheck, WaitReason, recheck},
    event::{ChannelGap, Suppression},
    fact::{Channel::*, *},
    ids::*,
    money::Decimal,
    policy::{Anchor, Bundle},
};

use crate::{
    story::{Story, given},
    world::*,
};

/// The reminder about R-1 is decided, not sent.
fn decided() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")]).on("2026-03-19 09:00").decides("reminder", Email)
}

fn mahnung_sent() -> Story {
    decided().sends().on("2026-03-30 10:00").takes("mahnung", Email)
}

#[test]
fn what_changed_in_between_is_not_sent() {
    use Suppression::*;
    let on = day("2026-03-19");
    decided().told(paid("P-1", "89.90", "2026-03-18", None)).suppressed_because(Paid);
    decided().told(paid("P-1", "9.90", "2026-03-18", None)).suppressed_because(AmountsChanged);
    decided().told(adjusted("R-1", "2026-03-18", "99.00")).suppressed_because(AmountsChanged);
    decided().told(rescheduled("R-1", "2026-06-15")).suppressed_because(AmountsChanged);
    decided().told(disputed("E-1", "R-1", "2026-03-18", None)).suppressed_because(Disputed);
    decided().told(hold("H-1", None, None)).suppressed_because(OnHold);
    decided().told(hold("H-1", Some("R-1"), None)).suppressed_because(OnHold);
    decided().promises("Z-1", "2026-04-01").suppressed_because(Promised);
    decided().told(Fact::InsolvencyOpened { on }).suppressed_because(Insolvent);
    decided().told(Fact::DebtorDeceased { on }).suppressed_because(Deceased);
    let credit = paid("P-1", "89.90", "2026-03-18", Some("R-7"));
    decided().told(credit).suppressed_because(CreditCovers);
    let silent = DebtorProfile { reachable: vec![Sms], ..consumer() };
    decided().told(debtor(silent)).suppressed_because(ChannelGone);
    let mut story = decided();
    let rates = kulanz_domain::arrangement::offers(&shop_b2c(), amount("89.90"), day("2026-04-01"));
    story.agree("R-1", &rates[0].1).unwrap();
    story.suppressed_because(Planned);
}

#[test]
fn after_an_erasure_nothing_leaves() {
    let story = decided();
    let (notice, reason) = (story.pending(), Suppression::Erased);
    let story = story.does(Command::Erase { at: at("2026-03-19") });
    let found = recheck(&story.account, &story.rules, &notice, story.now);
    assert_eq!(found, Recheck::Suppress(reason));
    story
        .will_not(Command::Leave { notice: notice.clone() }, Refusal::Erased)
        .does(Command::Suppress { notice, reason })
        .happened("NoticeSuppressed", 1);
}

#[test]
fn what_left_before_an_erasure_happened_and_nothing_follows_from_it() {
    let mahnung = || decided().sends().on("2026-03-30 10:00").decides("mahnung", Email);
    let sent = |story: Story| {
        let (notice, rules) = (story.pending(), Arc::clone(&story.rules));
        story.does(Command::ConfirmSent { notice, at: at("2026-03-30 10:00"), rules })
    };
    sent(mahnung()).happened("NoticeSent", 2).happened("DefaultBegins", 1);
    let erased = mahnung().does(Command::Erase { at: at("2026-03-30 10:00") });
    sent(erased).happened("NoticeSent", 2).happened("DefaultBegins", 0);
}

#[test]
fn a_suppressed_step_did_not_happen_and_is_decided_anew() {
    decided()
        .told(paid("P-1", "9.90", "2026-03-18", None))
        .suppressed_because(Suppression::AmountsChanged)
        .decides("reminder", Email)
        .happened("NoticeSent", 0);
}

#[test]
fn a_heads_up_does_not_leave_once_the_claim_is_due() {
    let mut policy = shop_b2c();
    policy.steps[0].when = None;
    let story = given([issued("R-1", "89.90", "2026-03-16")]).under(policy);
    let story = story.on("2026-03-14 10:00").decides("heads-up", Email);
    story.on("2026-03-16 10:00").suppressed_because(Suppression::AmountsChanged);
}

#[test]
fn a_message_that_missed_its_window_waits_for_the_next() {
    let later = |story: Story, when: &str| {
        let found = recheck(&story.account, &story.rules, &story.pending(), story.now);
        assert_eq!(found, Recheck::Later(at(when)));
    };
    later(decided().on("2026-03-19 22:00"), "2026-03-20 09:00");
    // The policy has changed: its window for everybody counts. Without one, the law's.
    let mut other = shop_b2c();
    other.personas.iter_mut().for_each(|one| one.name = PersonaName::new("new").unwrap());
    later(decided().under(other).on("2026-03-19 22:00"), "2026-03-20 09:00");
    let none = decided().with(|rules| rules.policies.clear());
    later(none.on("2026-03-19 22:00"), "2026-03-20 08:00");
}

#[test]
fn what_is_sent_already_or_unknown_is_not_sent_again() {
    let story = decided();
    let notice = story.pending();
    let story = story.sends();
    assert_eq!(recheck(&story.account, &story.rules, &notice, story.now), Recheck::NotPending);
    let other = NoticeId::new("N-9").unwrap();
    assert_eq!(recheck(&story.account, &story.rules, &other, story.now), Recheck::NotPending);
    let mut story = story;
    assert_eq!(story.confirm(&notice), Vec::new());
    story.happened("NoticeSent", 1);
}

#[test]
fn a_bounce_undoes_the_step_and_the_next_channel_takes_it() {
    let story = mahnung_sent();
    assert!(story.account.claims[&id("R-1")].default_by_notice.is_some());
    let notice = story.last_notice().notice.clone();
    let story = story.told(receipt(&notice, Email, "2026-03-30 10:05", Receipt::Bounced));
    assert_eq!(story.account.claims[&id("R-1")].default_by_notice, None);
    let story = story.on("2026-03-30 11:00").takes("mahnung", Sms);
    assert_eq!(story.last_notice().passed_over, [(Email, ChannelGap::Bounced)]);
    // New master data: the address may be another one.
    let story = story.told(debtor(consumer()));
    assert!(story.account.dead_channels.is_empty());
}

#[test]
fn a_bounce_takes_its_fee_back() {
    let profile = DebtorProfile { reachable: vec![Sms], ..consumer() };
    let story = given([issued("R-1", "40.00", "2026-03-15"), debtor(profile)])
        .on("2026-03-19")
        .takes("reminder", Sms)
        .on("2026-03-30")
        .takes("mahnung", Sms)
        .on("2026-04-20")
        .takes("last-call", Sms)
        .owes("R-1", "40.00", "0.20");
    let notice = story.last_notice().notice.clone();
    story
        .told(receipt(&notice, Sms, "2026-04-20 13:00", Receipt::Bounced))
        .owes("R-1", "40.00", "0.00")
        .on("2026-04-21")
        .waits(WaitReason::NoChannel);
}

#[test]
fn who_says_stop_is_not_written_to_there_any_more() {
    let story = decided().sends();
    let notice = story.last_notice().notice.clone();
    let story = story
        .told(receipt(&notice, Email, "2026-03-19 10:00", Receipt::Stopped))
        .told(debtor(consumer()))
        .on("2026-03-30")
        .takes("mahnung", Sms);
    assert_eq!(story.last_notice().passed_over, [(Email, ChannelGap::NoConsent)]);
}

#[test]
fn consent_and_the_creditors_senders_choose_the_channel() {
    let no_sms = DebtorProfile { sms_consent: Some(false), reachable: vec![Sms], ..consumer() };
    given([issued("R-1", "89.90", "2026-03-15"), debtor(no_sms)])
        .on("2026-03-19")
        .waits(WaitReason::NoChannel);
    given([issued("R-1", "89.90", "2026-03-15")])
        .with(|rules| rules.creditor.channels = vec![Sms])
        .on("2026-03-19")
        .takes("reminder", Sms);
    let wish =
        DebtorProfile { prefers: vec![Sms], pays_with: vec![PayWith::Transfer], ..consumer() };
    let story = given([issued("R-1", "89.90", "2026-03-15"), debtor(wish)]);
    let story = story.on("2026-03-19").takes("reminder", Sms);
    assert_eq!(story.last_notice().pay_with[0], PayWith::Transfer);
}

#[test]
fn a_message_is_in_a_language_that_there_is() {
    let in_language = |language: &str| {
        let profile = DebtorProfile { language: language.into(), ..consumer() };
        let story = given([issued("R-1", "89.90", "2026-03-15"), debtor(profile)]);
        story.on("2026-03-19").takes("reminder", Email).last_notice().language.clone()
    };
    assert_eq!(["en", "en-GB", "de-AT", "tr"].map(in_language), ["en", "en", "de", "de"]);
}

#[test]
fn a_deadline_is_rolled_and_the_next_step_gives_a_payment_time_to_arrive() {
    // Told on Wednesday, 18 March for ten days: Saturday, so Monday the 30th.
    let mut policy = shop_b2c();
    policy.steps[2].at = moment(Anchor::Due, 1);
    policy.steps[4].at = moment(Anchor::Step(2), 5);
    policy.steps.remove(3);
    policy.steps.remove(1);
    policy.steps[2].at = moment(Anchor::Step(1), 5);
    policy.steps[3].at = moment(Anchor::Step(2), 14);
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .under(policy)
        .on("2026-03-18 10:00")
        .takes("mahnung", Email);
    let sent = &story.account.claims[&id("R-1")].steps[0];
    assert_eq!(sent.deadline, Some(day("2026-03-30")));
    story.on("2026-03-31").waits(WaitReason::NotBefore).until("2026-04-01 09:00");
}

#[test]
fn a_reminder_of_another_sender_does_not_shorten_a_deadline() {
    let mut policy = shop_b2c();
    policy.steps[3].at = moment(Anchor::Step(2), 3);
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .under(policy)
        .on("2026-03-19")
        .takes("reminder", Email)
        .on("2026-03-30")
        .takes("mahnung", Email)
        .told(shop_reminded("S-1", "2026-04-01 10:00", "R-1", Some("reminder")));
    story.on("2026-04-08 10:00").waits(WaitReason::NotBefore).until("2026-04-13 09:00");
}

#[test]
fn one_bundle_is_one_message_with_one_fee() {
    let mut policy = shop_b2c();
    policy.personas.iter_mut().for_each(|one| one.channels = vec![Letter]);
    let both = [issued("R-1", "40.00", "2026-03-15"), issued("R-2", "40.00", "2026-03-15")];
    let story = given(both.clone())
        .under(policy)
        .on("2026-03-19")
        .takes("reminder", Letter)
        .on("2026-03-30")
        .takes("mahnung", Letter)
        .on("2026-04-20")
        .takes("last-call", Letter);
    assert_eq!(story.last_notice().claims.len(), 2);
    story.owes("R-1", "40.00", "2.50").owes("R-2", "40.00", "0.00");
    let mut apart = shop_b2c();
    (apart.bundle, apart.cap) = (Bundle::Claim, ContactCap::new(9, 7).unwrap());
    let mut story = given(both).under(apart).on("2026-03-19");
    let decided: Vec<_> =
        story.decide().iter().filter_map(crate::story::notice_of).cloned().collect();
    assert_eq!(decided.iter().map(|one| one.claims.len()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn what_is_not_due_yet_is_not_in_a_message_about_what_is_overdue() {
    let mut policy = shop_b2c();
    policy.steps[0].when = None; // a heads-up for everybody
    let both = [issued("R-1", "40.00", "2026-03-15"), issued("R-2", "60.00", "2026-04-02")];
    let mut story = given(both).under(policy).on("2026-03-12").takes("heads-up", Email);
    story = story.on("2026-03-19").takes("reminder", Email);
    // R-1 is due for its Mahnung on the day on which R-2, due in three days, has its heads-up.
    story = story.on("2026-03-30");
    let events = story.decide();
    let told = events.iter().filter_map(crate::story::notice_of);
    let told: Vec<_> = told
        .map(|one| {
            let claims: Vec<_> = one.claims.iter().map(|claim| claim.invoice.as_str()).collect();
            (one.step.as_str(), claims)
        })
        .collect();
    assert_eq!(told, [("mahnung", vec!["R-1"]), ("heads-up", vec!["R-2"])]);
}

#[test]
fn what_a_step_is_not_meant_for_is_in_no_message_of_it() {
    let mut policy = shop_b2c();
    // As shipped: the last call goes to those alone whom it tells the truth of an agency.
    policy.steps[4].when = policy.steps[5].when.take();
    let both = [issued("R-1", "40.00", "2026-03-15"), issued("R-2", "20.00", "2026-04-16")];
    let story =
        given(both).under(policy).on("2026-03-19").takes("reminder", Email).on("2026-03-30");
    let mut story = story.takes("mahnung", Email).on("2026-04-20");
    let events = story.decide();
    let told = events.iter().filter_map(crate::story::notice_of);
    let told: Vec<_> = told.map(|one| (one.step.as_str(), one.claims.len())).collect();
    assert_eq!(told, [("last-call", 1), ("reminder", 1)]);
}

#[test]
fn default_begins_with_the_earliest_mahnung_that_arrived() {
    let shop = |name: &str, when: &str| Fact::ReminderReported {
        notice: NoticeId::new(name).unwrap(),
        channel: Letter,
        at: at(when),
        invoices: vec![id("R-1")],
        counts_as: None,
        starts_default: true,
    };
    let begins = |story: &Story| story.account.claims[&id("R-1")].default_by_notice.clone();
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .told(shop("S-2", "2026-04-20 10:00"))
        .told(shop("S-1", "2026-03-23 10:00")); // a letter: Thursday, three business days
    assert_eq!(begins(&story).map(|(_, from)| from), Some(day("2026-03-27")));
    let first = NoticeId::new("S-1").unwrap();
    let story = story.told(receipt(&first, Letter, "2026-03-28", Receipt::Bounced));
    assert_eq!(begins(&story).map(|(_, from)| from), Some(day("2026-04-24")));
}

#[test]
fn a_contact_told_twice_counts_once() {
    let shop = || shop_reminded("S-1", "2026-03-18 10:00", "R-1", None);
    given([issued("R-1", "89.90", "2026-03-15")])
        .told(shop())
        .told_again(shop())
        .on("2026-03-19")
        .takes("reminder", Email);
}

#[test]
fn our_own_message_told_back_to_us_is_no_other() {
    let story = decided().sends();
    let notice = story.last_notice().notice.clone();
    story.told_again(shop_reminded(notice.as_str(), "2026-03-19 09:00", "R-1", None));
}

#[test]
fn a_waiting_time_follows_the_personas_pace_and_a_deadline_does_not() {
    let mut policy = shop_b2c();
    policy.personas.iter_mut().for_each(|one| one.pace = amount("2"));
    let story = given([issued("R-1", "89.90", "2026-03-13")])
        .under(policy)
        .on("2026-03-20 10:00")
        .waits(WaitReason::NotBefore)
        .until("2026-03-21 09:00")
        .on("2026-03-21 09:00")
        .takes("reminder", Email)
        .on("2026-04-10 09:00")
        .takes("mahnung", Email);
    let deadline = story.account.claims[&id("R-1")].steps[1].deadline;
    assert_eq!(story.last_notice().deadline, Some(Span::Days(10)));
    assert_eq!(deadline, Some(day("2026-04-20")));
}

#[test]
fn the_state_of_a_message_follows_its_receipts() {
    let story = decided().sends();
    let notice = story.last_notice().notice.clone();
    let state = |story: &Story| story.account.notices[&notice].state;
    let story = story.told(receipt(&notice, Email, "2026-03-19 09:05", Receipt::Failed));
    assert_eq!(state(&story), NoticeState::Sent);
    let story = story.told(receipt(&notice, Email, "2026-03-19 09:06", Receipt::Delivered));
    assert_eq!(state(&story), NoticeState::Delivered);
    let story = story.told(receipt(&notice, Email, "2026-03-19 09:07", Receipt::Bounced));
    assert_eq!(state(&story), NoticeState::Bounced);
}

#[test]
fn a_payment_told_late_shows_that_a_mahnung_was_wrong() {
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19")
        .takes("reminder", Email)
        .on("2026-03-30")
        .takes("mahnung", Email)
        .on("2026-04-02")
        .told(paid("P-1", "89.90", "2026-03-27", None))
        .happened("NoticeWasWrong", 1);
    let wrong = |story: &Story| -> Vec<(String, Decimal, Decimal)> {
        let notices = story.account.notices.values().filter(|notice| !notice.wrong.is_empty());
        let step = |notice: &kulanz_domain::account::Notice| notice.decided.step.to_string();
        notices.map(|n| (step(n), n.wrong[&id("R-1")].0, n.wrong[&id("R-1")].1)).collect()
    };
    assert_eq!(wrong(&story), [("mahnung".into(), amount("89.90"), amount("0.00"))]);
    // The money went back: it was owed after all.
    let back = story.told(returned("P-1", "2026-04-03", None)).happened("NoticeWasWrong", 2);
    assert_eq!(wrong(&back), []);
}

#[test]
fn an_invoice_corrected_after_a_mahnung_shows_by_how_much_it_was_wrong() {
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19")
        .takes("reminder", Email)
        .on("2026-04-01")
        .told(adjusted("R-1", "2026-03-18", "50.00"))
        .happened("NoticeWasWrong", 1);
    let notice = story.account.notices.values().next().unwrap();
    assert_eq!(notice.wrong[&id("R-1")], (amount("89.90"), amount("50.00")));
    // What was given back later was owed then, and money that crossed our message on its way is
    // nobody's mistake.
    given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19")
        .takes("reminder", Email)
        .told(credited("C-1", "R-1", "2026-03-25", "20.00"))
        .happened("NoticeWasWrong", 0);
    given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19")
        .takes("reminder", Email)
        .told(paid("P-1", "89.90", "2026-03-19", None))
        .happened("NoticeWasWrong", 0);
}
