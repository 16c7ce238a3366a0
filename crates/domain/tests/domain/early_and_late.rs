//! Words that come in the wrong order, twice, or about things nobody knows.

use kulanz_domain::{
    AccountEvent, Command,
    account::NoticeState,
    decision::WaitReason,
    fact::{Channel::*, *},
    ids::*,
};

use crate::{
    story::{Story, given},
    world::*,
};

fn decided() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")]).on("2026-03-19 09:00").decides("reminder", Email)
}

#[test]
fn a_bounce_may_overtake_the_gateways_answer() {
    let story = decided();
    let notice = story.pending();
    let mut story = story.told(receipt(&notice, Email, "2026-03-19 09:00", Receipt::Bounced));
    assert_eq!(story.confirm(&notice), Vec::new());
    assert_eq!(story.account.notices[&notice].state, NoticeState::Bounced);
    story.takes("reminder", Sms);
}

#[test]
fn a_delivery_may_overtake_the_gateways_answer() {
    let story = decided();
    let notice = story.pending();
    let mut story = story.told(receipt(&notice, Email, "2026-03-19 09:00", Receipt::Delivered));
    story.confirm(&notice);
    story.happened("NoticeSent", 1).on("2026-03-30").takes("mahnung", Email);
}

#[test]
fn a_delivery_shows_that_an_unknown_or_parked_message_did_leave() {
    for outcome_unknown in [true, false] {
        let story = decided();
        let notice = story.pending();
        let story = story
            .does(Command::Park { notice: notice.clone(), outcome_unknown })
            .told(receipt(&notice, Email, "2026-03-19 09:30", Receipt::Delivered));
        assert_eq!(story.account.notices[&notice].state, NoticeState::Delivered);
        story.happened("NoticeSent", 1).on("2026-03-30").takes("mahnung", Email);
    }
}

#[test]
fn receipts_for_unknown_notices_change_no_message() {
    let nobody = NoticeId::new("S-9").unwrap();
    for word in [Receipt::Delivered, Receipt::Failed, Receipt::Answered] {
        decided().told(receipt(&nobody, Email, "2026-03-19 09:00", word)).sends();
    }
    // A bounce marks the address, whoever wrote to it.
    let story = decided().told(receipt(&nobody, Email, "2026-03-19 09:00", Receipt::Bounced));
    story.suppressed_because(kulanz_domain::event::Suppression::ChannelGone);
}

#[test]
fn a_bounced_reminder_of_the_shop_did_not_happen() {
    let shop = NoticeId::new("S-1").unwrap();
    given([issued("R-1", "89.90", "2026-03-15")])
        .told(shop_reminded("S-1", "2026-03-17 10:00", "R-1", Some("reminder")))
        .told(receipt(&shop, Email, "2026-03-17 10:01", Receipt::Bounced))
        .on("2026-03-19")
        .takes("reminder", Sms);
}

#[test]
fn a_hold_that_ended_before_it_began_holds_nothing() {
    given([issued("R-1", "89.90", "2026-03-15")])
        .told(hold_released("H-1"))
        .told_again(hold_released("H-1"))
        .told(hold("H-1", None, None))
        .on("2026-03-19")
        .takes("reminder", Email);
}

#[test]
fn a_hold_that_is_placed_again_under_its_id_holds_again_whichever_comes_first() {
    let stamp = |when: &str| Stamp { at: at(when), id: format!("shop#{when}") };
    let placed = |when| (hold("H-1", None, None), stamp(when));
    let ended = |when| (hold_released("H-1"), stamp(when));
    let told = [placed("2026-03-16 09:00"), ended("2026-03-16 10:00"), placed("2026-03-16 11:00")];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1], [1, 0, 2]] {
        let mut story = given([issued("R-1", "89.90", "2026-03-15")]);
        for (fact, stamp) in order.map(|place| told[place].clone()) {
            story.record_as(fact, stamp).unwrap();
        }
        let story = story.on("2026-03-19").waits(WaitReason::OnHold(HoldId::new("H-1").unwrap()));
        // An end that is told late and lies before it ends nothing; a later one does.
        let mut story = story;
        let (again, early) = ended("2026-03-16 10:30");
        story.record_as(again, early).unwrap();
        let mut story = story.waits(WaitReason::OnHold(HoldId::new("H-1").unwrap()));
        let (end, late) = ended("2026-03-18");
        story.record_as(end, late).unwrap();
        story.takes("reminder", Email);
    }
}

#[test]
fn the_later_of_two_beginnings_of_a_hold_counts() {
    let stamp = |when: &str| Stamp { at: at(when), id: format!("shop#{when}") };
    let longer = (hold("H-1", None, Some("2026-04-30")), stamp("2026-03-18"));
    let shorter = (hold("H-1", None, Some("2026-03-20")), stamp("2026-03-16"));
    for order in [[&longer, &shorter], [&shorter, &longer]] {
        let mut story = given([issued("R-1", "89.90", "2026-03-15")]);
        for (fact, stamp) in order {
            story.record_as(fact.clone(), stamp.clone()).unwrap();
        }
        story
            .on("2026-03-23")
            .waits(WaitReason::OnHold(HoldId::new("H-1").unwrap()))
            .until("2026-05-01 00:00");
    }
}

#[test]
fn facts_about_an_unknown_invoice_wait_for_it() {
    given([])
        .told(disputed("E-1", "R-1", "2026-03-18", None))
        .told(Fact::DefaultDeclared {
            invoice: id("R-1"),
            from: day("2026-03-20"),
            ground: "refusal".into(),
        })
        .told(rescheduled("R-1", "2026-03-18"))
        .told(shop_reminded("S-1", "2026-03-10", "R-1", None))
        .told(issued("R-1", "89.90", "2026-03-15"))
        .on("2026-03-23")
        .waits(WaitReason::Disputed)
        .told(resolved("E-1", "R-1", "2026-03-23", DisputeOutcome::Rejected, None))
        .takes("reminder", Email);
}

#[test]
fn money_that_comes_while_a_message_is_sent_takes_its_fee_back() {
    let profile = DebtorProfile { reachable: vec![Sms], ..consumer() };
    let story = given([issued("R-1", "40.00", "2026-03-15"), debtor(profile)])
        .on("2026-03-19")
        .takes("reminder", Sms)
        .on("2026-03-30")
        .takes("mahnung", Sms)
        .on("2026-04-20 10:00")
        .decides("last-call", Sms);
    let notice = story.pending();
    let mut story = story.told(paid("P-1", "40.00", "2026-04-19", None));
    story.confirm(&notice); // it had left already
    story
        .happened("FeeCharged", 1)
        .happened("FeeReversed", 1)
        .owes("R-1", "0.00", "0.00")
        .waits(WaitReason::NothingOwed);
}

#[test]
fn a_mahnung_before_the_due_date_starts_no_default() {
    let early = Fact::ReminderReported {
        notice: NoticeId::new("S-1").unwrap(),
        channel: Email,
        at: at("2026-03-10"),
        invoices: vec![id("R-1")],
        counts_as: None,
        starts_default: true,
    };
    let story = given([issued("R-1", "89.90", "2026-03-15")]).told(early);
    let claim = &story.account.claims[&id("R-1")];
    let begins = kulanz_domain::law::default_begins(claim, creditor().seat(), Some(&consumer()));
    assert_eq!(begins, None);
}

#[test]
fn a_claim_put_off_after_its_mahnung_is_left_alone_until_it_is_due_again() {
    given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19")
        .takes("reminder", Email)
        .on("2026-03-30")
        .takes("mahnung", Email)
        .told(rescheduled("R-1", "2026-06-15"))
        .on("2026-05-20")
        .waits(WaitReason::NotBefore)
        .until("2026-06-16 09:00");
}

#[test]
fn an_account_of_thousands_of_claims_is_decided_at_once() {
    let mut story = Story::new(rules([shop_b2c()]));
    let mut account = kulanz_domain::Account::default();
    let stamp = Stamp { at: at("2026-01-01"), id: "shop#1".into() };
    account.apply_event(&AccountEvent::DebtorUpdated { stamp, profile: consumer() });
    for number in 0..3000 {
        let invoice = invoice(&format!("R-{number}"), eur("10.00"), "2026-03-15");
        let recorded_at = at("2026-03-01");
        account.apply_event(&AccountEvent::InvoiceIssued { invoice, recorded_at });
        let payment =
            paid(&format!("P-{number}"), "1.00", "2026-03-16", Some(&format!("R-{number}")));
        let Fact::PaymentReceived { payment, booked_on, amount, method, invoice } = payment else {
            unreachable!()
        };
        account.apply_event(&AccountEvent::PaymentReceived {
            payment,
            booked_on,
            amount,
            method,
            invoice,
        });
    }
    story.start_from(account);
    // Quadratic work would be billions of comparisons, and minutes here.
    let mut story = story.on("2026-03-19").told(paid("P-x", "1.00", "2026-03-17", None));
    story.decide();
    assert_eq!(story.last_notice().claims.len(), 3000);
}

#[test]
fn a_shops_mahnung_that_came_back_counts_for_nothing_whichever_word_comes_first() {
    let mahnung = || Fact::ReminderReported {
        notice: NoticeId::new("S-1").unwrap(),
        channel: Email,
        at: at("2026-03-20"),
        invoices: vec![id("R-1")],
        counts_as: Some(step("mahnung")),
        starts_default: true,
    };
    let back = || {
        let notice = NoticeId::new("S-1").unwrap();
        receipt(&notice, Email, "2026-03-21", Receipt::Bounced)
    };
    let owed = || given([issued("R-1", "1000.00", "2026-03-15")]).under(with_interest());
    let told = |facts: [Fact; 2]| facts.into_iter().fold(owed().on("2026-03-22"), Story::told);
    let (straight, early) = (told([mahnung(), back()]), told([back(), mahnung()]));
    assert_eq!(straight.account.claims, early.account.claims);
    assert!(early.account.claims[&id("R-1")].steps.is_empty());
    assert_eq!(early.book(|book| book.open_on(day("2026-06-30"))), amount("1000.00"));
    let again = early.told_again(mahnung());
    again.on("2026-03-23 10:00").takes("reminder", Sms);
}
