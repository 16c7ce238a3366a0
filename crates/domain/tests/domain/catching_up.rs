//! After an outage: nobody was there for weeks, and what became due meanwhile is caught up in
//! order, one message at most for each account a day. Ordinary days are as they were.

use kulanz_domain::{
    Command,
    contact::ContactCap,
    decision::{Recheck, WaitReason, recheck},
    event::Suppression,
    fact::{Channel::*, *},
    money::{Currency, Money},
    policy::{Bundle, Policy},
};

use crate::{
    story::{Story, given, notice_of},
    world::*,
};

/// One message a claim, and a cap that would let nine of them go.
fn apart() -> Policy {
    let cap = ContactCap::new(9, 7).unwrap();
    Policy { bundle: Bundle::Claim, cap, ..shop_b2c() }
}

fn two_claims() -> Story {
    given([issued("R-1", "40.00", "2026-03-15"), issued("R-2", "50.00", "2026-03-16")])
        .under(apart())
        .with(|rules| rules.creditor.law = kulanz_domain::policy::Law::None)
}

#[test]
fn of_two_late_claims_one_message_goes_today_and_the_other_tomorrow() {
    let mut story = two_claims().on("2026-05-11 10:00").takes("reminder", Email);
    assert_eq!(story.last_notice().late_since, Some(day("2026-03-19")));
    assert_eq!(story.last_notice().claims[0].invoice, id("R-1"), "the oldest first");
    story = story.waits(WaitReason::CatchingUp).until("2026-05-12 09:00");
    story = story.on("2026-05-12 09:00").takes("reminder", Email);
    assert_eq!(story.last_notice().claims[0].invoice, id("R-2"));
    story.happened("NoticeSent", 2).on("2026-05-12 10:00").waits(WaitReason::NotBefore);
}

#[test]
fn on_an_ordinary_day_each_claim_has_its_message() {
    let both = [issued("R-1", "40.00", "2026-03-15"), issued("R-2", "50.00", "2026-03-15")];
    let mut story = given(both).under(apart()).on("2026-03-19 09:00");
    let decided: Vec<_> = story.decide().iter().filter_map(notice_of).cloned().collect();
    assert_eq!(decided.iter().map(|one| one.late_since).collect::<Vec<_>>(), [None, None]);
    // A Sunday in between makes nothing late: nothing could have gone then.
    let both = [issued("R-1", "40.00", "2026-03-17"), issued("R-2", "50.00", "2026-03-18")];
    let mut story = given(both).under(apart()).on("2026-03-21 09:00").takes("reminder", Email);
    story = story.on("2026-03-23 09:00").takes("reminder", Email);
    assert_eq!(story.last_notice().late_since, None);
}

#[test]
fn what_the_contact_cap_put_off_is_not_late() {
    let one_a_week = Policy { cap: ContactCap::new(1, 7).unwrap(), ..apart() };
    let both = [issued("R-1", "40.00", "2026-03-15"), issued("R-2", "50.00", "2026-03-15")];
    let story = given(both).under(one_a_week).on("2026-03-19 09:00").takes("reminder", Email);
    let story = story.waits(WaitReason::ContactCap).until("2026-03-26 09:00");
    let story = story.on("2026-03-26 09:00").takes("reminder", Email);
    assert_eq!(story.last_notice().late_since, None);
}

#[test]
fn what_is_due_in_time_waits_beside_what_is_late() {
    let story = two_claims().on("2026-05-01 08:00").told(issued("R-3", "60.00", "2026-05-07"));
    let story = story.on("2026-05-11 10:00").takes("reminder", Email);
    let story = story.waits(WaitReason::CatchingUp).on("2026-05-12 09:00").takes("reminder", Email);
    let story = story.waits(WaitReason::CatchingUp).on("2026-05-13 09:00").takes("reminder", Email);
    let notices = story.account.notices.values().map(|one| &one.decided.claims[0].invoice);
    let mut named: Vec<_> = notices.map(ToString::to_string).collect();
    named.sort();
    assert_eq!(named, ["R-1", "R-2", "R-3"]);
}

#[test]
fn two_currencies_are_one_account() {
    let swiss = Money::parse("60.00", Currency::CHF).unwrap();
    let mut abroad = issued("R-2", "60.00", "2026-03-15");
    if let Fact::InvoiceIssued { invoice } = &mut abroad {
        invoice.amount = swiss;
    }
    let other = Policy { currency: Currency::CHF, ..shop_b2c() };
    let mut story = Story::new(rules([shop_b2c(), other])).on("2026-03-01 08:00");
    story = story.told(debtor(consumer())).told(issued("R-1", "40.00", "2026-03-15")).told(abroad);
    let mut ordinary = story.clone().on("2026-03-19 09:00");
    let decided = ordinary.decide().iter().filter_map(notice_of).count();
    assert_eq!(decided, 2, "on an ordinary day each currency has its message");
    let story = story.on("2026-05-11 10:00").takes("reminder", Email);
    let story = story.waits(WaitReason::CatchingUp).until("2026-05-12 09:00");
    story.on("2026-05-12 09:00").takes("reminder", Email);
}

#[test]
fn the_ladder_is_climbed_in_order_and_told_deadlines_are_kept() {
    // Away from before the reminder until long after the last step would have been due.
    let story = given([issued("R-1", "89.90", "2026-03-15")]).on("2026-03-10 10:00");
    let story = story.waits(WaitReason::NotBefore).on("2026-07-06 10:00").takes("reminder", Email);
    let story = story.waits(WaitReason::NotBefore).until("2026-07-16 09:00");
    // Away again, between the Mahnung and the end of its deadline and far beyond.
    let story = story.on("2026-07-16 09:00").takes("mahnung", Email);
    let story = story.on("2026-09-01 10:00").takes("instalments", Email);
    // The last call keeps the nine days that the policy puts between the two.
    let story = story.waits(WaitReason::NotBefore).until("2026-09-10 09:00");
    // Away for a week only: the deadline of the last call ends on the 21st, money has two days.
    let story = story.on("2026-09-11 09:00").takes("last-call", Email);
    assert_eq!(story.last_notice().late_since, Some(day("2026-09-10")));
    let story = story.on("2026-09-22 09:00").waits(WaitReason::NotBefore);
    let story = story.on("2026-09-24 09:00").waits(WaitReason::NotBefore);
    story.happened("NoticeSent", 4).happened("HandoffDue", 0);
}

#[test]
fn what_waited_for_days_leaves_one_message_a_day() {
    // Both were decided in time, on days of their own, and nobody let them out.
    let both = [issued("R-1", "40.00", "2026-03-15"), issued("R-2", "50.00", "2026-03-16")];
    let mut story = given(both).under(apart()).on("2026-03-19 09:00").decides("reminder", Email);
    let first = story.pending();
    story = story.on("2026-03-20 09:00").decides("reminder", Email).on("2026-04-07 11:00");
    let waiting: Vec<_> = story.account.notices.keys().cloned().collect();
    let second = waiting.iter().find(|notice| **notice != first).unwrap().clone();
    let look = |story: &Story, notice| recheck(&story.account, &story.rules, notice, story.now);
    assert_eq!(look(&story, &first), Recheck::Send);
    story.confirm(&first);
    assert_eq!(look(&story, &second), Recheck::Later(at("2026-04-08 09:00")));
    story = story.on("2026-04-08 09:00");
    assert_eq!(look(&story, &second), Recheck::Send);
    // Whoever paid meanwhile is not written to, however late.
    story = story.told(paid("P-1", "50.00", "2026-04-08", Some("R-2")));
    let reason = Suppression::Paid;
    assert_eq!(look(&story, &second), Recheck::Suppress(reason));
    story.does(Command::Suppress { notice: second, reason }).happened("NoticeSent", 1);
}
