//! Whole stories, as a lawyer would read them.

use crate::walk::check;

#[test]
fn who_never_pays_climbs_the_whole_ladder_and_two_persons_hand_over() {
    check(
        "2026-03-01 consumer email letter
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-06-01 signs ute
         2026-06-02 signs jan",
        "2026-12-31",
        "2026-03-19 09:00 reminder by email for R-1
         2026-03-30 09:00 mahnung by email for R-1, pay by 2026-04-09
         2026-03-30 09:00 R-1 will be in default from 2026-04-10
         2026-04-13 09:00 instalments by email for R-1
         2026-04-20 09:00 last-call by email for R-1, pay by 2026-04-30
         2026-05-05 00:00 inkasso is due for R-1
         2026-06-02 08:00 handed over by jan: R-1 89.90 + 0",
    );
}

#[test]
fn who_pays_after_the_reminder_never_sees_a_mahnung() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-20 payment P-1 of 89.90 for R-1",
        "2026-12-31",
        "2026-03-19 09:00 reminder by email for R-1
         2026-03-20 08:00 R-1 is settled",
    );
}

#[test]
fn a_good_customer_is_told_before_and_given_half_as_long_again() {
    check(
        "2025-06-01 consumer email
         2025-06-01 invoice A-1 of 10.00 due 2025-06-15
         2025-06-10 payment P-1 of 10.00 for A-1
         2025-07-01 invoice A-2 of 10.00 due 2025-07-15
         2025-07-10 payment P-2 of 10.00 for A-2
         2025-08-01 invoice A-3 of 10.00 due 2025-08-15
         2025-08-10 payment P-3 of 10.00 for A-3
         2026-03-01 invoice R-1 of 60.00 due 2026-03-16",
        "2026-04-30",
        "2025-06-10 08:00 A-1 is settled
         2025-07-10 08:00 A-2 is settled
         2025-08-10 08:00 A-3 is settled
         2026-03-13 17:00 heads-up by email for R-1
         2026-03-23 17:00 reminder by email for R-1
         2026-04-07 17:00 mahnung by email for R-1, pay by 2026-04-17
         2026-04-07 17:00 R-1 will be in default from 2026-04-18
         2026-04-25 17:00 instalments by email for R-1",
    );
}

#[test]
fn a_dispute_stops_everything_and_a_rejected_one_goes_on_where_it_was() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-24 dispute R-1
         2026-06-09 dispute R-1 rejected",
        "2026-06-30",
        "2026-03-19 09:00 reminder by email for R-1
         2026-06-09 09:00 mahnung by email for R-1, pay by 2026-06-19
         2026-06-09 09:00 R-1 will be in default from 2026-06-20
         2026-06-23 09:00 instalments by email for R-1
         2026-06-30 09:00 last-call by email for R-1, pay by 2026-07-10",
    );
}

#[test]
fn a_dispute_partly_upheld_leaves_the_rest_to_be_paid() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-24 dispute R-1
         2026-04-14 dispute R-1 partly 40.00
         2026-04-16 payment P-1 of 40.00",
        "2026-06-30",
        "2026-03-19 09:00 reminder by email for R-1
         2026-04-14 09:00 mahnung by email for R-1, pay by 2026-04-24
         2026-04-14 09:00 R-1 will be in default from 2026-04-25
         2026-04-16 08:00 R-1 is settled",
    );
}

#[test]
fn a_returned_debit_opens_the_claim_again_with_the_banks_fee() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-13 payment P-1 of 89.90 for R-1
         2026-03-17 return P-1 fee 3.50
         2026-03-24 payment P-2 of 93.40",
        "2026-06-30",
        "2026-03-13 08:00 R-1 is settled
         2026-03-17 08:00 R-1 is open again
         2026-03-19 09:00 reminder by email for R-1
         2026-03-24 08:00 R-1 is settled",
    );
}

#[test]
fn a_bounced_e_mail_is_followed_by_a_text_message_and_counts_for_nothing() {
    check(
        "2026-03-01 consumer email sms
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-19 10:30 bounce",
        "2026-04-13",
        "2026-03-19 09:00 reminder by email for R-1
         2026-03-19 10:30 reminder by sms for R-1
         2026-03-30 09:00 mahnung by sms for R-1, pay by 2026-04-09
         2026-03-30 09:00 R-1 will be in default from 2026-04-10
         2026-04-13 09:00 instalments by sms for R-1",
    );
}

#[test]
fn reminders_of_the_shop_count_towards_the_limit() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-16 shop S-1 about of R-1
         2026-03-18 shop S-2 about of R-1",
        "2026-03-30",
        "2026-03-23 09:00 reminder by email for R-1",
    );
}

#[test]
fn a_reminder_of_the_shop_can_stand_for_a_step() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-17 shop S-1 about of R-1 as reminder",
        "2026-04-04",
        "2026-03-27 09:00 mahnung by email for R-1, pay by 2026-04-07
         2026-03-27 09:00 R-1 will be in default from 2026-04-08",
    );
}

#[test]
fn two_claims_share_one_message_and_each_takes_its_own_step() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-11 invoice R-2 of 20.00 due 2026-03-25",
        "2026-04-10",
        "2026-03-19 09:00 reminder by email for R-1
         2026-03-30 09:00 mahnung by email for R-1, R-2 as its reminder, pay by 2026-04-09
         2026-03-30 09:00 R-1 will be in default from 2026-04-10",
    );
}

#[test]
fn a_promise_that_is_kept_ends_it() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-23 promise 2026-04-10
         2026-04-11 payment P-1 of 89.90",
        "2026-06-30",
        "2026-03-19 09:00 reminder by email for R-1
         2026-04-11 08:00 R-1 is settled
         2026-04-11 08:00 promise kept",
    );
}

#[test]
fn a_broken_promise_is_given_the_time_that_a_transfer_takes() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-23 promise 2026-04-10",
        "2026-04-20",
        "2026-03-19 09:00 reminder by email for R-1
         2026-04-15 00:00 promise broken
         2026-04-15 09:00 mahnung by email for R-1, pay by 2026-04-27
         2026-04-15 09:00 R-1 will be in default from 2026-04-28",
    );
}

#[test]
fn a_plan_is_paid_rate_by_rate() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-23 plan 3 from 2026-04-01
         2026-03-31 payment P-1 of 22.47
         2026-05-04 payment P-2 of 33.71
         2026-05-31 payment P-3 of 33.72",
        "2026-12-31",
        "2026-03-19 09:00 reminder by email for R-1
         2026-03-23 08:00 plan: 22.47 on 2026-04-01, 33.71 on 2026-05-01, 33.72 on 2026-06-01
         2026-05-31 08:00 R-1 is settled
         2026-05-31 08:00 plan completed",
    );
}

#[test]
fn a_plan_breaks_when_a_rate_stays_away() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-23 plan 3 from 2026-04-01
         2026-03-31 payment P-1 of 22.47",
        "2026-05-20",
        "2026-03-19 09:00 reminder by email for R-1
         2026-03-23 08:00 plan: 22.47 on 2026-04-01, 33.71 on 2026-05-01, 33.72 on 2026-06-01
         2026-05-06 00:00 plan broken
         2026-05-06 09:00 mahnung by email for R-1, pay by 2026-05-18
         2026-05-06 09:00 R-1 will be in default from 2026-05-19
         2026-05-20 09:00 instalments by email for R-1",
    );
}

#[test]
fn a_bank_fee_does_not_break_a_plan_whose_rates_come() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-23 plan 3 from 2026-04-01
         2026-03-24 payment P-1 of 22.47 for R-1
         2026-03-27 return P-1 fee 3.00
         2026-04-01 payment P-2 of 22.47
         2026-05-01 payment P-3 of 33.71
         2026-06-01 payment P-4 of 36.72",
        "2026-12-31",
        "2026-03-19 09:00 reminder by email for R-1
         2026-03-23 08:00 plan: 22.47 on 2026-04-01, 33.71 on 2026-05-01, 33.72 on 2026-06-01
         2026-06-01 08:00 R-1 is settled
         2026-06-01 08:00 plan completed",
    );
}

#[test]
fn a_vulnerable_debtor_is_never_handed_over() {
    check(
        "2026-03-01 consumer email vulnerable
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15",
        "2027-12-31",
        "2026-03-19 09:00 reminder by email for R-1
         2026-03-30 09:00 mahnung by email for R-1, pay by 2026-04-09
         2026-03-30 09:00 R-1 will be in default from 2026-04-10
         2026-04-13 09:00 instalments by email for R-1
         2026-04-20 09:00 last-call by email for R-1, pay by 2026-04-30",
    );
}

#[test]
fn an_old_claim_waits_for_a_person() {
    check(
        "2026-03-02 consumer email
         2026-03-02 invoice R-1 of 89.90 due 2025-11-15
         2026-04-08 admit R-1",
        "2026-04-20",
        "2026-04-08 09:00 reminder by email for R-1
         2026-04-18 09:00 mahnung by email for R-1, pay by 2026-04-28
         2026-04-18 09:00 R-1 will be in default from 2026-04-29",
    );
}

#[test]
fn a_new_due_date_starts_the_waiting_again() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-04-01 new-due-date R-1 2026-06-15",
        "2026-07-31",
        "2026-03-19 09:00 reminder by email for R-1
         2026-03-30 09:00 mahnung by email for R-1, pay by 2026-04-09
         2026-03-30 09:00 R-1 will be in default from 2026-04-10
         2026-06-16 09:00 instalments by email for R-1
         2026-06-25 09:00 last-call by email for R-1, pay by 2026-07-06
         2026-06-25 09:00 R-1 will be in default from 2026-07-07
         2026-07-09 00:00 inkasso is due for R-1, incomplete",
    );
}

#[test]
fn an_order_of_later_does_not_break_a_promise() {
    check(
        "2026-03-01 consumer email
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-23 promise 2026-04-10
         2026-03-30 invoice R-2 of 50.00 due 2026-04-13
         2026-04-09 payment P-1 of 89.90 for R-1
         2026-04-10 payment P-2 of 50.00 for R-2",
        "2026-06-30",
        "2026-03-19 09:00 reminder by email for R-1
         2026-04-09 08:00 R-1 is settled
         2026-04-09 08:00 promise kept
         2026-04-10 08:00 R-2 is settled",
    );
}

#[test]
fn money_for_one_of_two_placed_claims_leaves_the_other_to_go_alone() {
    check(
        "2026-03-01 consumer email letter
         2026-03-01 invoice R-1 of 89.90 due 2026-03-15
         2026-03-01 invoice R-2 of 40.00 due 2026-03-15
         2026-05-27 payment P-1 of 40.00 for R-2
         2026-05-28 signs ute
         2026-05-29 signs jan
         2026-06-10 payment P-2 of 89.90 for R-1",
        "2026-12-31",
        "2026-03-19 09:00 reminder by email for R-1, R-2
         2026-03-30 09:00 mahnung by email for R-1, R-2, pay by 2026-04-09
         2026-03-30 09:00 R-1 will be in default from 2026-04-10
         2026-03-30 09:00 R-2 will be in default from 2026-04-10
         2026-04-13 09:00 instalments by email for R-1
         2026-04-20 09:00 last-call by email for R-1, R-2, pay by 2026-04-30
         2026-05-05 00:00 inkasso is due for R-1, R-2
         2026-05-27 08:00 R-2 is settled
         2026-05-27 08:00 inkasso withdrawn: Paid
         2026-05-27 08:00 inkasso is due for R-1
         2026-05-29 08:00 handed over by jan: R-1 89.90 + 0
         2026-06-10 08:00 R-1 is settled
         2026-06-10 08:00 recalled: Paid",
    );
}
