//! Where the money goes: §§ 366, 367 BGB, returns, waivers, disputes, two currencies.

use kulanz_domain::{
    AccountEvent,
    book::Book,
    fact::{Channel::*, *},
    ids::*,
    money::Currency,
};

use crate::{
    story::{Story, given},
    world::*,
};

fn waived(invoice: &str, on: &str, money: Option<&str>, part: Option<Part>) -> Fact {
    Fact::Waived { invoice: id(invoice), on: day(on), amount: money.map(amount), part }
}

fn written_off(invoice: &str, on: &str) -> Fact {
    Fact::WrittenOff { invoice: id(invoice), on: day(on), amount: None, part: None }
}

/// R-1 of 100.00 due on 1 February, R-2 of 100.00 due on 1 March, a fee of 2.50 on R-1.
fn two() -> Story {
    let mut story =
        given([issued("R-1", "100.00", "2026-02-01"), issued("R-2", "100.00", "2026-03-01")]);
    story = story.on("2026-03-10");
    charge(&mut story, "R-1", "2026-03-05");
    story
}

/// A fee as an earlier letter left it. The story's own log starts anew from there.
fn charge(story: &mut Story, invoice: &str, on: &str) {
    let mut account = story.account.clone();
    account.apply_event(&AccountEvent::FeeCharged {
        invoice: id(invoice),
        kind: kulanz_domain::event::FeeKind::Reminder,
        notice: NoticeId::new("N-fee").unwrap(),
        on: day(on),
        amount: amount("2.50"),
    });
    story.start_from(account);
}

#[test]
fn the_debtors_word_counts_before_the_law() {
    two().told(paid("P-1", "60.00", "2026-03-10", Some("R-2"))).owes("R-2", "40.00", "0.00");
}

#[test]
fn without_a_word_the_older_claim_is_paid_costs_first() {
    two()
        .told(paid("P-1", "60.00", "2026-03-10", None))
        .owes("R-1", "42.50", "0.00")
        .owes("R-2", "100.00", "0.00");
}

#[test]
fn without_a_word_what_is_disputed_is_paid_last_even_once_the_dispute_is_over() {
    let story = two().told(disputed("E-1", "R-1", "2026-03-08", None));
    story
        .clone()
        .told(paid("P-1", "60.00", "2026-03-10", None))
        .owes("R-1", "100.00", "2.50")
        .owes("R-2", "40.00", "0.00")
        .told(resolved("E-1", "R-1", "2026-03-20", DisputeOutcome::Rejected, None))
        .owes("R-2", "40.00", "0.00")
        .told(paid("P-2", "60.00", "2026-03-21", None))
        .owes("R-1", "42.50", "0.00");
    // Two claims of 100.00: the amount means the one that is not disputed.
    story
        .clone()
        .told(paid("P-1", "100.00", "2026-03-10", None))
        .owes("R-1", "100.00", "2.50")
        .owes("R-2", "0.00", "0.00");
    // The debtor's own word, and money booked before the dispute, are not touched.
    story.told(paid("P-1", "100.00", "2026-03-10", Some("R-1"))).owes("R-1", "0.00", "2.50");
    two()
        .told(paid("P-1", "60.00", "2026-03-07", None))
        .told(disputed("E-1", "R-1", "2026-03-08", None))
        .owes("R-1", "42.50", "0.00");
}

#[test]
fn an_amount_to_the_cent_says_which_claim_is_meant() {
    given([issued("R-1", "100.00", "2026-02-01"), issued("R-2", "70.00", "2026-03-01")])
        .told(paid("P-1", "70.00", "2026-03-10", None))
        .owes("R-1", "100.00", "0.00")
        .owes("R-2", "0.00", "0.00");
}

#[test]
fn the_principal_to_the_cent_is_paid_and_the_fee_stays_visible() {
    two().told(paid("P-1", "100.00", "2026-03-10", Some("R-1"))).owes("R-1", "0.00", "2.50");
}

#[test]
fn what_is_left_over_pays_the_other_claims() {
    two()
        .told(paid("P-1", "130.00", "2026-03-10", Some("R-2")))
        .owes("R-2", "0.00", "0.00")
        .owes("R-1", "72.50", "0.00")
        .keeps_as_credit("0.00");
    two().told(paid("P-1", "250.00", "2026-03-10", Some("R-2"))).keeps_as_credit("47.50");
}

#[test]
fn claims_of_the_same_age_share_to_the_cent_and_the_first_have_the_odd_ones() {
    given([
        issued("R-1", "10.00", "2026-02-01"),
        issued("R-2", "10.00", "2026-02-01"),
        issued("R-3", "10.00", "2026-02-01"),
    ])
    .told(paid("P-1", "20.00", "2026-02-10", None))
    .owes("R-1", "3.33", "0.00")
    .owes("R-2", "3.33", "0.00")
    .owes("R-3", "3.34", "0.00")
    .keeps_as_credit("0.00");
}

#[test]
fn a_payment_waits_for_its_invoice_and_pays_nothing_else() {
    given([issued("R-1", "100.00", "2026-02-01")])
        .told(paid("P-1", "60.00", "2026-02-03", Some("R-2")))
        .owes("R-1", "100.00", "0.00")
        .keeps_as_credit("60.00")
        .told(issued("R-2", "60.00", "2026-03-01"))
        .keeps_as_credit("0.00")
        .settled("R-2", Some("2026-02-03"))
        .happened("PaymentAllocated", 1);
}

#[test]
fn a_return_opens_the_claim_again_and_costs_what_the_bank_took() {
    given([issued("R-1", "100.00", "2026-02-01")])
        .told(paid("P-1", "100.00", "2026-01-30", Some("R-1")))
        .settled("R-1", Some("2026-01-30"))
        .told(returned("P-1", "2026-02-04", Some("3.20")))
        .owes("R-1", "100.00", "3.20")
        .settled("R-1", None)
        .happened("ClaimReopened", 1)
        .happened("Reallocated", 1)
        .told(paid("P-2", "103.20", "2026-02-10", None))
        .settled("R-1", Some("2026-02-10"));
}

#[test]
fn the_banks_fee_is_the_debtors_only_where_the_reason_lies_with_the_debtor() {
    let back = |reason: &str| {
        let Fact::PaymentReturned { payment, on, amount, fee, .. } =
            returned("P-1", "2026-02-04", Some("3.20"))
        else {
            panic!("a return")
        };
        given([issued("R-1", "100.00", "2026-02-01")])
            .told(paid("P-1", "100.00", "2026-01-30", Some("R-1")))
            .told(Fact::PaymentReturned { payment, on, amount, reason: reason.into(), fee })
    };
    for theirs in ["AM04", "AC04"] {
        back(theirs).owes("R-1", "100.00", "3.20");
    }
    // No mandate, taken back, twice, refused, a wrong number, no reason, none that we know.
    for not_theirs in ["MD01", "MD06", "AM05", "MS02", "AC01", "MS03", "other"] {
        back(not_theirs).owes("R-1", "100.00", "0.00");
    }
}

#[test]
fn a_return_may_come_before_its_payment() {
    given([issued("R-1", "100.00", "2026-02-01")])
        .told(returned("P-1", "2026-02-04", Some("3.20")))
        .owes("R-1", "100.00", "0.00")
        .told(paid("P-1", "100.00", "2026-01-30", Some("R-1")))
        .owes("R-1", "100.00", "3.20")
        .happened("ClaimSettled", 0);
}

#[test]
fn a_cancelled_invoice_owes_neither_its_fees_nor_the_banks() {
    let mut story = given([issued("R-1", "100.00", "2026-02-01")])
        .told(paid("P-1", "100.00", "2026-01-30", Some("R-1")))
        .told(returned("P-1", "2026-02-04", Some("3.20")))
        .on("2026-03-10");
    charge(&mut story, "R-1", "2026-03-05");
    story
        .told(cancelled("R-1", "2026-03-10"))
        .owes("R-1", "0.00", "0.00")
        .settled("R-1", Some("2026-03-10"))
        .happened("FeeReversed", 1);
}

#[test]
fn what_was_never_owed_costs_neither_fees_nor_what_the_bank_took() {
    let begin = || {
        let mut story = given([issued("R-1", "100.00", "2026-02-01")])
            .told(paid("P-1", "100.00", "2026-01-30", Some("R-1")))
            .told(returned("P-1", "2026-02-04", Some("6.20")))
            .on("2026-03-10");
        charge(&mut story, "R-1", "2026-03-05");
        story.owes("R-1", "100.00", "8.70")
    };
    let right = begin().told(disputed("E-1", "R-1", "2026-03-10", None)).told(resolved(
        "E-1",
        "R-1",
        "2026-03-12",
        DisputeOutcome::Upheld,
        None,
    ));
    let sent_back = begin().told(credited("C-1", "R-1", "2026-03-12", "100.00"));
    let corrected = begin().told(adjusted("R-1", "2026-03-12", "0.00"));
    for story in [right, sent_back, corrected] {
        story
            .owes("R-1", "0.00", "0.00")
            .settled("R-1", Some("2026-03-12"))
            .happened("FeeReversed", 1)
            .on("2026-03-20 10:00")
            .waits(kulanz_domain::decision::WaitReason::NothingOwed);
    }
    // Where a part of it is owed, it was late.
    begin().told(credited("C-1", "R-1", "2026-03-12", "99.00")).owes("R-1", "1.00", "8.70");
}

#[test]
fn a_fee_falls_when_the_claim_had_been_paid_before_it() {
    let story = two().told(paid("P-1", "100.00", "2026-03-04", Some("R-1")));
    story.owes("R-1", "0.00", "0.00").happened("FeeReversed", 1);
    let same_day = two().told(paid("P-1", "100.00", "2026-03-05", Some("R-1")));
    same_day.owes("R-1", "0.00", "2.50").happened("FeeReversed", 0);
}

#[test]
fn a_fee_stays_when_only_set_off_money_was_earlier() {
    // R-1 is paid half by money left over from January, half in March, after the fee.
    let mut story =
        given([issued("R-0", "10.00", "2026-01-20"), issued("R-1", "100.00", "2026-02-01")]);
    story = story.told(paid("P-1", "60.00", "2026-01-25", Some("R-0"))).on("2026-03-10");
    charge(&mut story, "R-1", "2026-03-01");
    story
        .told(paid("P-2", "52.50", "2026-03-10", Some("R-1")))
        .happened("FeeReversed", 0)
        .owes("R-1", "0.00", "0.00")
        .settled("R-1", Some("2026-03-10"));
}

#[test]
fn a_payment_that_was_booked_earlier_moves_the_later_ones() {
    given([issued("R-1", "100.00", "2026-02-01")])
        .told(paid("P-1", "100.00", "2026-02-10", Some("R-1")))
        .settled("R-1", Some("2026-02-10"))
        .told(paid("P-2", "100.00", "2026-02-05", Some("R-1")))
        .settled("R-1", Some("2026-02-05"))
        .keeps_as_credit("100.00")
        .happened("Reallocated", 1);
}

#[test]
fn what_is_waived_or_written_off_is_open_no_more_and_money_comes_first() {
    two()
        .told(waived("R-1", "2026-03-10", None, Some(Part::Fees)))
        .owes("R-1", "100.00", "0.00")
        .told(waived("R-1", "2026-03-11", Some("30.00"), None))
        .owes("R-1", "70.00", "0.00")
        .told(written_off("R-1", "2026-03-12"))
        .owes("R-1", "0.00", "0.00")
        .settled("R-1", Some("2026-03-12"))
        .told(paid("P-1", "40.00", "2026-03-20", Some("R-1")))
        .keeps_as_credit("0.00");
}

#[test]
fn what_goes_back_after_all_was_given_up_is_owed_again_whichever_comes_first() {
    let begin = || {
        given([issued("R-1", "100.00", "2026-02-01")]).told(paid(
            "P-1",
            "60.00",
            "2026-02-03",
            Some("R-1"),
        ))
    };
    let all_of_it = || waived("R-1", "2026-02-10", None, None);
    begin()
        .told(all_of_it())
        .settled("R-1", Some("2026-02-10"))
        .told(returned("P-1", "2026-02-12", Some("3.20")))
        .owes("R-1", "60.00", "3.20")
        .settled("R-1", None)
        .told(waived("R-1", "2026-02-14", None, Some(Part::Fees)))
        .owes("R-1", "60.00", "0.00")
        .told(written_off("R-1", "2026-02-15"))
        .owes("R-1", "0.00", "0.00")
        .settled("R-1", Some("2026-02-15"));
    let back = || returned("P-1", "2026-02-12", Some("3.20"));
    begin().told(back()).told(all_of_it()).owes("R-1", "60.00", "3.20");
    // What had gone back by the day is given up with the rest.
    let same_day = returned("P-1", "2026-02-10", Some("3.20"));
    begin().told(all_of_it()).told(same_day).owes("R-1", "0.00", "0.00");
    // An amount is an amount.
    let forty = waived("R-1", "2026-02-10", Some("40.00"), None);
    begin().told(forty).told(returned("P-1", "2026-02-12", None)).owes("R-1", "60.00", "0.00");
}

#[test]
fn an_upheld_dispute_takes_off_and_its_credit_note_does_not_count_twice() {
    let upheld = |part| {
        given([issued("R-1", "100.00", "2026-02-01")])
            .told(disputed("E-1", "R-1", "2026-02-05", part))
            .told(resolved("E-1", "R-1", "2026-02-10", DisputeOutcome::Upheld, None))
    };
    upheld(None).owes("R-1", "0.00", "0.00").settled("R-1", Some("2026-02-10"));
    upheld(Some("30.00"))
        .owes("R-1", "70.00", "0.00")
        .told(credited("C-1", "R-1", "2026-02-11", "30.00"))
        .owes("R-1", "70.00", "0.00")
        .told(credited("C-2", "R-1", "2026-02-12", "10.00"))
        .owes("R-1", "60.00", "0.00");
}

#[test]
fn credit_notes_add_up_and_one_from_before_a_dispute_is_another_matter() {
    let begin = || given([issued("R-1", "100.00", "2026-02-01")]);
    begin()
        .told(credited("C-1", "R-1", "2026-02-03", "30.00"))
        .told(credited("C-2", "R-1", "2026-02-04", "20.00"))
        .owes("R-1", "50.00", "0.00");
    let right = |story: Story, name, on, part| {
        story.told(disputed(name, "R-1", on, Some(part))).told(resolved(
            name,
            "R-1",
            on,
            DisputeOutcome::Upheld,
            None,
        ))
    };
    // Two parts came back, one before the dispute about another part began.
    let story = begin().told(credited("C-1", "R-1", "2026-02-03", "30.00"));
    let story = right(story, "E-1", "2026-02-05", "20.00").owes("R-1", "50.00", "0.00");
    let story = story.told(credited("C-2", "R-1", "2026-02-06", "20.00"));
    let story = story.owes("R-1", "50.00", "0.00");
    // Each dispute has its own credit note, in whichever order they are told.
    let story = right(story, "E-2", "2026-03-05", "10.00").owes("R-1", "40.00", "0.00");
    story.told(credited("C-3", "R-1", "2026-03-06", "10.00")).owes("R-1", "40.00", "0.00");
    let late = right(begin(), "E-1", "2026-02-05", "20.00");
    let late = late.told(credited("C-2", "R-1", "2026-02-06", "20.00"));
    late.told(credited("C-1", "R-1", "2026-02-03", "30.00")).owes("R-1", "50.00", "0.00");
}

#[test]
fn what_a_credit_note_takes_off_beyond_its_invoice_pays_other_claims() {
    let two =
        || given([issued("R-1", "100.00", "2026-02-01"), issued("R-2", "70.00", "2026-03-01")]);
    two()
        .told(credited("C-1", "R-1", "2026-02-03", "130.00"))
        .owes("R-1", "0.00", "0.00")
        .owes("R-2", "40.00", "0.00")
        .keeps_as_credit("0.00")
        .told(paid("P-1", "40.00", "2026-03-01", Some("R-2")))
        .settled("R-2", Some("2026-03-01"));
    two()
        .told(credited("C-1", "R-1", "2026-02-03", "180.00"))
        .owes("R-2", "0.00", "0.00")
        .settled("R-2", Some("2026-02-15"))
        .keeps_as_credit("10.00");
    // Where the invoice was paid, the money itself is left over.
    two()
        .told(paid("P-1", "100.00", "2026-01-30", Some("R-1")))
        .told(credited("C-1", "R-1", "2026-02-03", "30.00"))
        .owes("R-2", "40.00", "0.00")
        .told(credited("C-2", "R-1", "2026-02-04", "80.00"))
        .owes("R-1", "0.00", "0.00")
        .owes("R-2", "0.00", "0.00")
        .keeps_as_credit("40.00");
    // A message that was sent before asked for what was owed then.
    let story = two().on("2026-03-05").takes("reminder", Email);
    story.told(credited("C-1", "R-1", "2026-03-06", "130.00")).happened("NoticeWasWrong", 0);
    let mut story = two().on("2026-03-05").takes("reminder", Email);
    story.record(credited("C-1", "R-1", "2026-02-27", "130.00")).unwrap();
    story.happened("NoticeWasWrong", 2);
}

#[test]
fn a_dispute_may_be_partly_right_or_wrong_and_end_before_it_begins() {
    let end = |outcome, remains| {
        given([issued("R-1", "100.00", "2026-02-01")])
            .told(resolved("E-1", "R-1", "2026-02-10", outcome, remains))
            .owes("R-1", "100.00", "0.00")
            .told(disputed("E-1", "R-1", "2026-02-05", Some("50.00")))
    };
    end(DisputeOutcome::Partly, Some("20.00")).owes("R-1", "70.00", "0.00");
    end(DisputeOutcome::Rejected, None).owes("R-1", "100.00", "0.00");
}

#[test]
fn a_later_word_on_a_dispute_counts_whichever_comes_first() {
    let rejected = || resolved("E-1", "R-1", "2026-02-10", DisputeOutcome::Rejected, None);
    let upheld = || resolved("E-1", "R-1", "2026-02-20", DisputeOutcome::Upheld, None);
    let begin = given([issued("R-1", "100.00", "2026-02-01")]).told(disputed(
        "E-1",
        "R-1",
        "2026-02-05",
        None,
    ));
    begin.clone().told(rejected()).told(upheld()).owes("R-1", "0.00", "0.00");
    begin.told(upheld()).told(rejected()).owes("R-1", "0.00", "0.00");
}

#[test]
fn a_dispute_that_is_opened_again_runs_again_whichever_comes_first() {
    let first = || disputed("E-1", "R-1", "2026-02-05", None);
    let rejected = || resolved("E-1", "R-1", "2026-02-10", DisputeOutcome::Rejected, None);
    let again = || disputed("E-1", "R-1", "2026-02-11", None);
    for order in [[first(), rejected(), again()], [again(), rejected(), first()]] {
        let story = given([issued("R-1", "100.00", "2026-02-01")]);
        let story = order.into_iter().fold(story, Story::told).on("2026-02-16 10:00");
        assert!(!story.account.claims[&id("R-1")].disputed_on(day("2026-02-10")));
        let story = story.waits(kulanz_domain::decision::WaitReason::Disputed);
        let right = resolved("E-1", "R-1", "2026-02-20", DisputeOutcome::Upheld, None);
        story.told(right).owes("R-1", "0.00", "0.00");
    }
}

#[test]
fn a_dispute_that_is_opened_again_on_the_day_of_its_end_runs_whichever_comes_first() {
    let told = [
        (disputed("E-1", "R-1", "2026-02-05", None), "2026-02-05 10:00"),
        (resolved("E-1", "R-1", "2026-02-10", DisputeOutcome::Rejected, None), "2026-02-10 10:00"),
        (disputed("E-1", "R-1", "2026-02-10", None), "2026-02-10 11:00"),
    ];
    let right = resolved("E-1", "R-1", "2026-02-10", DisputeOutcome::Upheld, None);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut story = given([issued("R-1", "100.00", "2026-02-01")]).on("2026-02-12");
        for at in order {
            let (fact, when) = told[at].clone();
            let stamp = Stamp { at: crate::world::at(when), id: format!("shop#{at}") };
            story.record_as(fact, stamp).unwrap();
        }
        let mut story = story.waits(kulanz_domain::decision::WaitReason::Disputed);
        // Once more decided on that day: it is over.
        let stamp = Stamp { at: at("2026-02-10 12:00"), id: "shop#9".into() };
        story.record_as(right.clone(), stamp).unwrap();
        story.owes("R-1", "0.00", "0.00");
    }
}

#[test]
fn a_dispute_that_begins_and_ends_on_one_day_is_over() {
    let rejected = resolved("E-1", "R-1", "2026-02-10", DisputeOutcome::Rejected, None);
    let story = given([issued("R-1", "100.00", "2026-02-01")])
        .on("2026-02-10 09:00")
        .told(disputed("E-1", "R-1", "2026-02-10", None))
        .on("2026-02-10 10:00")
        .told(rejected);
    assert!(!story.account.claims[&id("R-1")].disputed());
}

#[test]
fn the_latest_adjustment_counts_whichever_comes_last() {
    let stamp = |at_day: &str| Stamp { at: at(at_day), id: format!("shop#{at_day}") };
    let mut story = given([issued("R-1", "100.00", "2026-02-01")]);
    story.record_as(adjusted("R-1", "2026-02-03", "80.00"), stamp("2026-02-03")).unwrap();
    story.record_as(adjusted("R-1", "2026-02-02", "90.00"), stamp("2026-02-02")).unwrap();
    story
        .owes("R-1", "80.00", "0.00")
        .told(paid("P-1", "100.00", "2026-02-05", Some("R-1")))
        .keeps_as_credit("20.00");
}

#[test]
fn a_payment_can_be_assigned_to_another_claim_and_the_last_word_counts() {
    let assign = |invoice: &str| Fact::PaymentAssigned {
        payment: PaymentId::new("P-1").unwrap(),
        to: account_id(),
        invoice: Some(id(invoice)),
    };
    let stamp = |at_day: &str| Stamp { at: at(at_day), id: format!("shop#{at_day}") };
    let mut story = two().told(paid("P-1", "50.00", "2026-03-10", Some("R-7")));
    story.record_as(assign("R-2"), stamp("2026-03-12")).unwrap();
    story.record_as(assign("R-1"), stamp("2026-03-11")).unwrap();
    let elsewhere = Fact::PaymentAssigned {
        payment: PaymentId::new("P-1").unwrap(),
        to: "lindenmoor/D-2".parse().unwrap(),
        invoice: None,
    };
    let mut story = story.owes("R-2", "50.00", "0.00").owes("R-1", "100.00", "2.50");
    story.record_as(elsewhere, stamp("2026-03-13")).unwrap();
    story.owes("R-2", "100.00", "0.00").keeps_as_credit("0.00");
}

#[test]
fn a_refund_takes_money_away_again() {
    let refund = |amount| Fact::PaymentRefunded {
        payment: PaymentId::new("P-1").unwrap(),
        on: day("2026-02-20"),
        amount: eur(amount),
    };
    given([issued("R-1", "100.00", "2026-02-01")])
        .told(paid("P-1", "130.00", "2026-02-10", Some("R-1")))
        .keeps_as_credit("30.00")
        .told(refund("30.00"))
        .keeps_as_credit("0.00")
        .owes("R-1", "0.00", "0.00")
        .told(refund("10.00"))
        .owes("R-1", "10.00", "0.00");
}

#[test]
fn nobody_is_asked_for_what_we_gave_back_while_its_credit_note_is_on_its_way() {
    let refund = |on| Fact::PaymentRefunded {
        payment: PaymentId::new("P-1").unwrap(),
        on: day(on),
        amount: eur("30.00"),
    };
    let story = given([issued("R-1", "100.00", "2026-02-01")])
        .told(paid("P-1", "100.00", "2026-02-02", Some("R-1")))
        .on("2026-02-20")
        .told(refund("2026-02-20"))
        .owes("R-1", "30.00", "0.00")
        .waits(kulanz_domain::decision::WaitReason::NotBefore)
        .until("2026-03-06 09:00");
    story
        .clone()
        .on("2026-02-24")
        .told(credited("C-1", "R-1", "2026-02-20", "30.00"))
        .settled("R-1", Some("2026-02-02"))
        .waits(kulanz_domain::decision::WaitReason::NothingOwed);
    // None comes: it was no return of goods.
    story.on("2026-03-06").takes("reminder", Email);
}

#[test]
fn currencies_keep_their_own_books() {
    let dollars = Fact::InvoiceIssued { invoice: invoice("R-2", usd("50.00"), "2026-03-15") };
    let story = given([issued("R-1", "100.00", "2026-02-01"), dollars])
        .told(paid_in("P-1", usd("80.00"), "2026-03-20", None))
        .owes("R-1", "100.00", "0.00");
    let book = Book::of(&story.account, Currency::USD);
    assert_eq!((book.open_on(story.today()), book.unallocated), (amount("0.00"), amount("30.00")));
    assert_eq!(story.account.currencies(), [Currency::EUR, Currency::USD]);
}

#[test]
fn a_fee_is_what_the_channel_costs_and_none_before_default() {
    let on = |channel, kind| {
        let persona_channels = vec![channel];
        let profile = DebtorProfile { kind, reachable: persona_channels.clone(), ..consumer() };
        let mut policy = shop_b2c();
        policy.personas.iter_mut().for_each(|one| one.channels = persona_channels.clone());
        let story = given([issued("R-1", "40.00", "2026-03-15"), debtor(profile)])
            .under(policy)
            .on("2026-03-19")
            .takes("reminder", channel)
            .on("2026-03-30")
            .takes("mahnung", channel);
        assert_eq!(story.last_notice().fee, None, "the one that brings default carries none");
        let story = story.on("2026-04-20").takes("last-call", channel);
        story.last_notice().fee.as_ref().map(|(_, fee)| fee.to_string())
    };
    assert_eq!(on(Email, DebtorKind::Consumer), None);
    assert_eq!(on(Sms, DebtorKind::Consumer).as_deref(), Some("0.20"));
    assert_eq!(on(Letter, DebtorKind::Consumer).as_deref(), Some("2.50"));
    assert_eq!(on(Email, DebtorKind::Business).as_deref(), Some("2.50"));
}
