//! Money of which both an agency and the bank tell, under one id, in either order.

use kulanz_domain::{Refusal, fact::*, ids::*};

use crate::{handoff::due, story::Story, world::*};

fn out() -> Story {
    due().released_by("ute").released_by("jan")
}

fn agency_says(story: &Story, money: &str, on: &str, paid_to_creditor: bool) -> Fact {
    Fact::PlacementReported {
        placement: story.placement(),
        agency: AgencyId::new("nordinkasso").unwrap(),
        invoice: Some(id("R-1")),
        on: day(on),
        report: PlacementReport::PaymentReceived {
            payment: payment(),
            amount: eur(money),
            paid_to_creditor,
            split: None,
        },
    }
}

fn payment() -> PaymentId {
    PaymentId::new("Z-1").unwrap()
}

fn bank_says(money: &str, on: &str) -> Fact {
    paid("Z-1", money, on, None)
}

/// Both orders of arrival, and one in which both come twice.
fn both_ways(bank: (&str, &str), agency: (&str, &str), paid_to_creditor: bool) -> [Story; 3] {
    let story = out();
    let bank = bank_says(bank.0, bank.1);
    let agency = agency_says(&story, agency.0, agency.1, paid_to_creditor);
    let (b, a) = (|| bank.clone(), || agency.clone());
    [
        story.clone().told(b()).told(a()),
        story.clone().told(a()).told(b()),
        story.told(a()).told(b()).told_again(b()).told(a()).told_again(b()),
    ]
}

#[test]
fn money_at_the_creditor_of_which_the_agency_heard_first_is_one_payment() {
    for story in both_ways(("40.00", "2026-05-12"), ("40.00", "2026-05-11"), true) {
        let story = story.owes("R-1", "49.90", "0.00");
        let known = &story.account.payments[&payment()];
        let received = known.received.as_ref().unwrap();
        // The bank has it: its day and its word count.
        assert_eq!((received.booked_on, received.method.as_str()), (day("2026-05-12"), "transfer"));
        assert_eq!(known.disagreement(), None);
    }
}

#[test]
fn money_at_the_agency_counts_as_it_says_and_what_it_passes_on_is_not_money_again() {
    for story in both_ways(("36.00", "2026-05-30"), ("40.00", "2026-05-11"), false) {
        let story = story.owes("R-1", "49.90", "0.00");
        let known = &story.account.payments[&payment()];
        assert_eq!(known.received.as_ref().unwrap().booked_on, day("2026-05-11"));
        // The agency kept something: a person has to know.
        assert_eq!(known.disagreement(), Some((eur("40.00"), eur("36.00"))));
    }
}

#[test]
fn two_amounts_for_one_payment_wait_for_a_person_and_neither_is_lost() {
    for story in both_ways(("30.00", "2026-05-12"), ("40.00", "2026-05-11"), true) {
        let story = story.owes("R-1", "59.90", "0.00");
        let known = &story.account.payments[&payment()];
        assert_eq!(known.disagreement(), Some((eur("40.00"), eur("30.00"))));
        // Whoever has looked says to whom it belongs, or that the difference went back.
        let looked = Fact::PaymentAssigned {
            payment: payment(),
            to: account_id(),
            invoice: Some(id("R-1")),
        };
        let story = story.on("2026-06-01").told(looked);
        assert_eq!(story.account.payments[&payment()].disagreement(), None);
    }
    for story in both_ways(("40.00", "2026-05-12"), ("30.00", "2026-05-11"), true) {
        let back = Fact::PaymentRefunded {
            payment: payment(),
            on: day("2026-06-01"),
            amount: eur("10.00"),
        };
        let story = story.told(back).owes("R-1", "59.90", "0.00");
        assert_eq!(story.account.payments[&payment()].disagreement(), None);
    }
}

#[test]
fn a_second_word_of_the_same_sender_with_another_amount_is_refused() {
    let contradicts = || Refusal::Contradicts { kind: "payment", id: "Z-1".to_owned() };
    for story in both_ways(("40.00", "2026-05-12"), ("40.00", "2026-05-11"), true) {
        let other = agency_says(&story, "41.00", "2026-05-11", true);
        story
            .refuses(bank_says("41.00", "2026-05-12"), contradicts())
            .refuses(other, contradicts());
    }
    for story in both_ways(("40.00", "2026-05-12"), ("40.00", "2026-05-11"), false) {
        let other = agency_says(&story, "41.00", "2026-05-11", false);
        story
            .refuses(bank_says("41.00", "2026-05-12"), contradicts())
            .refuses(other, contradicts());
    }
}
