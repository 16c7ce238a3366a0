//! Each refusal; none of them touches the account.

use kulanz_domain::{
    Command, Refusal,
    event::{Rate, Suppression},
    fact::{Channel::Email, *},
    ids::*,
    money::Currency,
};

use crate::{
    story::{Story, given},
    world::*,
};

fn overdue() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")]).on("2026-03-20")
}

#[test]
fn a_message_whose_condition_holds_no_more_is_not_sent() {
    let story = given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19")
        .takes("reminder", Channel::Email)
        .on("2026-03-30")
        .takes("mahnung", Channel::Email)
        .on("2026-04-13")
        .takes("instalments", Channel::Email)
        .with(|rules| {
            let mut policy = shop_b2c();
            policy.steps[4].when = policy.steps[5].when.clone(); // as in the shipped policy
            rules.policies.insert("EUR", std::sync::Arc::new(policy));
        })
        .on("2026-04-20")
        .decides("last-call", Channel::Email);
    // It speaks of an agency, to which those who need care are never given.
    let care = debtor(DebtorProfile { vulnerable: true, ..consumer() });
    let mut story = story.told(care).suppressed_because(Suppression::ConditionFalse);
    story.decide();
    story.happened("NoticeDecided", 4);
}

#[test]
fn an_erased_account_takes_nothing_more() {
    overdue()
        .does(Command::Erase { at: at("2026-03-20") })
        .refuses(paid("P-1", "1.00", "2026-03-20", None), Refusal::Erased)
        .does(Command::Erase { at: at("2026-03-21") })
        .happened("AccountErased", 1);
}

#[test]
fn one_id_has_one_content() {
    let other = |kind, id: &str| Refusal::Contradicts { kind, id: id.into() };
    overdue()
        .told_again(issued("R-1", "89.90", "2026-03-15"))
        .refuses(issued("R-1", "89.91", "2026-03-15"), other("invoice", "R-1"))
        .told(paid("P-1", "1.00", "2026-03-20", None))
        .told_again(paid("P-1", "1.00", "2026-03-20", None))
        .refuses(paid("P-1", "1.00", "2026-03-21", None), other("payment", "P-1"))
        .told(credited("C-1", "R-1", "2026-03-20", "1.00"))
        .told_again(credited("C-1", "R-1", "2026-03-20", "1.00"))
        .refuses(credited("C-1", "R-1", "2026-03-20", "2.00"), other("credit note", "C-1"));
}

#[test]
fn one_claim_has_one_currency() {
    let found = |invoice: &str| Refusal::OtherCurrency {
        invoice: id(invoice),
        expected: "EUR".into(),
        found: "USD".into(),
    };
    let (invoice, on, amount) = (id("R-1"), day("2026-03-20"), usd("1.00"));
    let credit = CreditId::new("C-1").unwrap();
    let payment = PaymentId::new("P-1").unwrap();
    overdue()
        .refuses(Fact::InvoiceAdjusted { invoice: invoice.clone(), on, amount }, found("R-1"))
        .refuses(Fact::InvoiceCredited { invoice, credit, on, amount }, found("R-1"))
        .told(paid("P-1", "5.00", "2026-03-20", None))
        .refuses(
            Fact::PaymentRefunded { payment: payment.clone(), on, amount },
            Refusal::OtherPaymentCurrency { payment, expected: "EUR".into(), found: "USD".into() },
        );
}

#[test]
fn what_is_not_there_cannot_be_handled() {
    let notice = NoticeId::new("N-9").unwrap();
    let unknown = || Refusal::UnknownNotice(notice.clone());
    let placement = PlacementId::new("P-9").unwrap();
    let story = overdue();
    let (rules, now) = (story.rules.clone(), story.now);
    let by = || "ute".to_owned();
    story
        .will_not(
            Command::ConfirmSent { notice: notice.clone(), at: now, rules: rules.clone() },
            unknown(),
        )
        .will_not(
            Command::Suppress { notice: notice.clone(), reason: Suppression::Person },
            unknown(),
        )
        .will_not(Command::Park { notice: notice.clone(), outcome_unknown: true }, unknown())
        .will_not(Command::Discard { notice: notice.clone(), by: by() }, unknown())
        .will_not(Command::Admit { invoice: id("R-9"), by: by() }, Refusal::UnknownClaim(id("R-9")))
        .will_not(
            Command::ReleasePlacement { placement: placement.clone(), by: by(), now, rules },
            Refusal::NoSuchPlacement(placement),
        );
}

#[test]
fn only_a_parked_message_can_be_discarded() {
    let story = overdue().takes("reminder", Email);
    let notice = story.last_notice().notice.clone();
    let discard = Command::Discard { notice: notice.clone(), by: "ute".into() };
    story.will_not(discard, Refusal::NotParked(notice));
}

#[test]
fn promises_have_their_limits() {
    let mut story = overdue();
    assert_eq!(story.promise("Z-1", "2026-03-19"), Err(Refusal::DayPassed));
    let last = Refusal::TooLate(day("2026-04-19"));
    assert_eq!(story.promise("Z-1", "2026-04-20"), Err(last));
    story.promise("Z-1", "2026-04-19").unwrap();
    assert_eq!(story.promise("Z-1", "2026-04-01"), Ok(Vec::new()));
    let running = Refusal::PromiseRuns(day("2026-04-19"));
    assert_eq!(story.promise("Z-2", "2026-04-01"), Err(running));
    let mut paid = overdue().told(paid("P-1", "89.90", "2026-03-20", None));
    assert_eq!(paid.promise("Z-1", "2026-04-01"), Err(Refusal::NothingOwed));
}

#[test]
fn a_fraction_of_a_cent_is_refused_where_the_currency_is_known() {
    let fine = amount("1.005");
    let too_precise = || Refusal::TooPrecise { amount: fine, currency: "EUR".into(), allowed: 2 };
    let (invoice, on) = (id("R-1"), day("2026-03-20"));
    let waived = |amount| Fact::Waived { invoice: invoice.clone(), on, amount, part: None };
    overdue()
        .refuses(waived(Some(fine)), too_precise())
        .refuses(disputed("E-1", "R-1", "2026-03-20", Some("1.005")), too_precise())
        .refuses(
            resolved("E-1", "R-1", "2026-03-20", DisputeOutcome::Partly, Some("1.005")),
            too_precise(),
        )
        .told(paid("P-1", "5.00", "2026-03-20", None))
        .refuses(returned("P-1", "2026-03-21", Some("1.005")), too_precise())
        .told(waived(Some(amount("1.0000"))))
        .owes("R-1", "83.90", "0.00");
}

#[test]
fn who_broke_a_promise_cannot_make_another_alone_for_thirty_days() {
    let mut story = overdue().promises("Z-1", "2026-04-01").on("2026-04-08");
    story.decide();
    let (until, again_from) = (day("2026-04-01"), day("2026-05-01"));
    let broken = Err(Refusal::PromiseBroken { until, again_from });
    assert_eq!(story.promise("Z-2", "2026-04-20"), broken);
    let agreed = Command::Promise {
        promise: PromiseId::new("Z-2").unwrap(),
        until: day("2026-04-20"),
        now: story.now,
        rules: story.rules.clone(),
        by_person: true,
    };
    story.clone().does(agreed).happened("PromiseMade", 2);
    let mut story = story.on("2026-04-30");
    assert_eq!(story.promise("Z-2", "2026-05-10"), broken);
    story.on("2026-05-01").promises("Z-2", "2026-05-10").happened("PromiseMade", 2);
}

#[test]
fn plans_add_up_and_are_as_offered() {
    let rate = |due_on: &str, money: &str| Rate { due_on: day(due_on), amount: amount(money) };
    let mut story = overdue();
    let sum = Refusal::RatesDoNotAddUp { rates: eur("89.89"), open: eur("89.90") };
    let two = [rate("2026-04-01", "44.95"), rate("2026-05-01", "44.94")];
    assert_eq!(story.agree("R-1", &two), Err(sum));
    let past = [rate("2026-03-19", "44.95"), rate("2026-05-01", "44.95")];
    assert_eq!(story.agree("R-1", &past), Err(Refusal::DayPassed));
    let halves = [rate("2026-04-01", "44.95"), rate("2026-05-01", "44.95")];
    assert_eq!(story.agree("R-1", &halves), Err(Refusal::NotOffered));
    let by_person = Command::AgreePlan {
        plan: PlanId::new("R-1").unwrap(),
        currency: Currency::EUR,
        rates: halves.to_vec(),
        now: story.now,
        rules: story.rules.clone(),
        by_person: true,
    };
    story = story.does(by_person);
    assert_eq!(story.agree("R-1", &halves), Ok(Vec::new()));
    assert_eq!(story.agree("R-2", &halves), Err(Refusal::PlanRuns));
    let mut nothing = given([]);
    assert_eq!(nothing.agree("R-1", &halves), Err(Refusal::NothingOwed));
}

#[test]
fn a_placement_needs_all_fields_two_persons_and_a_claim_that_is_still_due() {
    let mut story = crate::handoff::due();
    story.account.placements.values().for_each(|one| assert!(one.missing.is_empty()));
    story.release("ute").unwrap();
    assert_eq!(story.release("ute"), Err(Refusal::SamePerson("ute".into())));
    let mut held = story.clone().told(hold("H-1", None, None));
    assert_eq!(held.release("jan"), Err(Refusal::Blocked(Suppression::OnHold)));
    let mut held = story.clone().told(hold("H-1", Some("R-1"), None));
    assert_eq!(held.release("jan"), Err(Refusal::Blocked(Suppression::OnHold)));
    let mut promised = story.clone().promises("Z-1", "2026-05-20");
    assert_eq!(promised.release("jan"), Err(Refusal::Blocked(Suppression::Promised)));
    let credit = paid("P-1", "89.90", "2026-05-04", Some("R-7"));
    let mut covered = story.clone().told(credit);
    assert_eq!(covered.release("jan"), Err(Refusal::Blocked(Suppression::CreditCovers)));
    let nowhere = DebtorProfile { reachable: vec![Email], ..consumer() };
    let mut incomplete = story.told(debtor(nowhere));
    let lacks = Refusal::Incomplete(vec!["debtor's address".into()]);
    assert_eq!(incomplete.release("jan"), Err(lacks));
}
