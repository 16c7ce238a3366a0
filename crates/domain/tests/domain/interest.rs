//! Default interest: the sums, and what it does to an account.

use Channel::{Email, Letter};
use jiff::civil::Date;
use kulanz_domain::{
    AccountEvent, Refusal,
    account::Account,
    arrangement::{offers, plannable},
    decision::{Recheck, WaitReason, recheck},
    fact::*,
    ids::*,
    law::{
        interest::{DayCount, Exact, InterestError, Rate, in_cents, interest},
        rates::{BaseRates, RateTable},
    },
    money::{Currency, Decimal},
    policy::{InterestClaimed, InterestPolicy, Policy},
};
use proptest::prelude::*;

use crate::{
    story::{Story, given},
    world::*,
};

fn germany() -> BaseRates {
    RateTable::Germany.shipped().unwrap()
}

// ---- the sums

/// The same sum by another road: a day at a time, each day's share of its year.
fn day_by_day(
    principal: Decimal,
    rate: Rate,
    count: DayCount,
    (from, to): (Date, Date),
) -> Decimal {
    let rates = germany();
    let mut sum = Decimal::ZERO;
    let mut on = from;
    while on <= to {
        let base = || rates.percent_on(on).unwrap();
        let percent = match rate {
            Rate::Fixed(percent) => percent,
            Rate::OverBase(points) => base() + points,
            Rate::AtMost(percent, points) => percent.min(base() + points),
        };
        let next = on.tomorrow().unwrap();
        let (days, year) = match count {
            DayCount::ActAct => (1, if on.in_leap_year() { 366 } else { 365 }),
            DayCount::Act365 => (1, 365),
            DayCount::D30360 => {
                // The 31st is no day, and the last of February makes up for those it lacks.
                let number = |d: Date| i32::from(d.month()) * 30 + i32::from(d.day().min(30));
                let over_year = if next.year() > on.year() { 360 } else { 0 };
                (number(next) + over_year - number(on), 360)
            }
        };
        sum += principal * percent * Decimal::from(days) / Decimal::from(100 * year);
        on = next;
    }
    sum
}

fn rates() -> impl Strategy<Value = Rate> {
    let percent = || (0i64..2000).prop_map(|n| Decimal::new(n, 2));
    prop_oneof![
        Just(Rate::OverBase(Decimal::from(5))),
        Just(Rate::OverBase(Decimal::from(9))),
        percent().prop_map(Rate::Fixed),
        percent().prop_map(|most| Rate::AtMost(most, Decimal::from(5))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn interest_is_what_the_days_add_up_to(
        cents in 0i64..100_000_000, rate in rates(), count in proptest::sample::select(&DayCount::ALL[..]),
        start in 0i32..8900, length in 0i32..2000,
    ) {
        let principal = Decimal::new(cents, 2);
        let from = day("2002-01-01").checked_add(jiff::Span::new().days(start)).unwrap();
        let to = from.checked_add(jiff::Span::new().days(length)).unwrap().min(day("2026-12-31"));
        let exact = interest(principal, rate, &germany(), count, (from, to)).unwrap();
        let slow = day_by_day(principal, rate, count, (from, to));
        // The slow sum is cut at 28 digits a day: at a tie it may fall to the other side.
        let near = |a: Decimal, b: Decimal| (a - b).abs() < Decimal::new(1, 9);
        prop_assert!(near(exact.rounded(6), slow.round_dp(6)) || near(exact.rounded(6), slow.round_dp(5)) || (exact.rounded(6) - slow).abs() <= Decimal::new(6, 7));
        let cent = exact.rounded(2);
        let tie = ((slow * Decimal::ONE_HUNDRED).fract() - Decimal::new(5, 1)).abs();
        if tie > Decimal::new(1, 15) {
            let by_days = slow.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
            prop_assert_eq!(cent, by_days);
        }
    }

    #[test]
    fn a_period_in_two_parts_is_the_whole(
        rate in rates(), count in proptest::sample::select(&DayCount::ALL[..]),
        start in 0i32..8000, first in 0i32..900, second in 0i32..900, cents in 0i64..10_000_000,
    ) {
        let later = |on: Date, days: i32| on.checked_add(jiff::Span::new().days(days)).unwrap();
        let from = later(day("2002-01-01"), start);
        let middle = later(from, first);
        let to = later(middle, second);
        prop_assume!(to <= day("2026-12-31"));
        let of = |from, to| interest(Decimal::new(cents, 2), rate, &germany(), count, (from, to)).unwrap();
        let parts = [of(from, middle), of(later(middle, 1), to)];
        prop_assert_eq!(of(from, to), parts[0] + parts[1]);
        let cents = in_cents(parts, 2);
        prop_assert_eq!(cents.iter().sum::<Decimal>(), of(from, to).rounded(2));
    }
}

#[test]
fn half_a_cent_is_rounded_up() {
    // 365.00 at 5 % for one day of a common year is exactly five cents; a tenth of it half a cent.
    let of = |principal: &str| {
        let days = (day("2025-03-01"), day("2025-03-01"));
        let five = Rate::Fixed(Decimal::from(5));
        interest(amount(principal), five, &germany(), DayCount::ActAct, days).unwrap().rounded(2)
    };
    assert_eq!(
        (of("365.00"), of("36.50"), of("36.49")),
        (amount("0.05"), amount("0.01"), amount("0.00"))
    );
}

#[test]
fn what_cannot_be_computed_is_refused_by_name() {
    let of = |principal: &str, rate, from: &str, to: &str| {
        let days = (day(from), day(to));
        interest(amount(principal), rate, &germany(), DayCount::ActAct, days).map(|e| e.rounded(2))
    };
    let five = Rate::OverBase(Decimal::from(5));
    assert_eq!(of("100.00", five, "2026-08-10", "2026-08-09"), Ok(amount("0.00")));
    assert!(matches!(
        of("100.00", five, "2026-08-10", "2026-08-08"),
        Err(InterestError::EndsBeforeItBegins { .. })
    ));
    let said = |result: Result<Decimal, InterestError>| result.unwrap_err().to_string();
    assert!(said(of("100.00", five, "2001-12-31", "2002-02-01")).contains("before 2002-01-01"));
    assert!(
        said(of("100.00", five, "2026-12-01", "2027-01-15"))
            .contains("2027-01-01 is not published")
    );
    assert!(said(of("-1.00", five, "2026-01-01", "2026-01-02")).contains("is no principal"));
    assert!(said(of("1.00001", five, "2026-01-01", "2026-01-02")).contains("is no principal"));
    let odd = Rate::Fixed(amount("0.0000001"));
    assert!(said(of("1.00", odd, "2026-01-01", "2026-01-02")).contains("is no rate"));
    assert_eq!(
        of("100.00", Rate::Fixed(Decimal::from(5)), "1999-01-01", "1999-12-31"),
        Ok(amount("5.00"))
    );
}

// ---- the account

fn billed(policy: Policy, debtor_is: DebtorProfile, invoice: Invoice) -> Story {
    let mut story = Story::new(rules([policy]));
    story.now = at("2026-06-01");
    story.told(debtor(debtor_is)).told(Fact::InvoiceIssued { invoice })
}

/// A business that owes 1000.00 and is in default from 2026-07-20 on.
fn late(policy: Policy) -> Story {
    let mut one = invoice("R-1", eur("1000.00"), "2026-07-17");
    one.due_date_agreed = true; // a Friday: the first day of default is the 18th
    one.due_on = day("2026-07-17");
    billed(policy, business(), one).told(Fact::DefaultDeclared {
        invoice: id("R-1"),
        from: day("2026-07-20"),
        ground: "refusal".into(),
    })
}

/// In default from Monday 2026-07-20 on, as the agreed day was a Sunday.
fn late_since_the_20th(policy: Policy, debtor_is: DebtorProfile) -> Story {
    let mut one = invoice("R-1", eur("1000.00"), "2026-07-19");
    one.due_date_agreed = false;
    billed(policy, debtor_is, one).told(Fact::DefaultDeclared {
        invoice: id("R-1"),
        from: day("2026-07-20"),
        ground: "refusal".into(),
    })
}

impl Story {
    /// Interest owed on the only claim up to a day.
    #[track_caller]
    fn bears(self, on: &str, expected: &str) -> Self {
        let found = self.book(|book| book.claims[0].interest_on(day(on)));
        assert_eq!(found, amount(expected), "interest on {on}");
        self
    }

    fn told_on(mut self, when: &str, fact: Fact) -> Self {
        self.now = at(when);
        self.told(fact)
    }
}

#[test]
fn interest_runs_from_the_first_day_of_default_and_counts_the_day_itself() {
    late_since_the_20th(with_interest(), business())
        .on("2026-07-21")
        .told(hold("H-0", None, Some("2026-07-22")))
        .bears("2026-07-19", "0.00")
        .bears("2026-07-20", "0.29") // 1000 x 10.52 % / 365
        .bears("2026-08-20", "9.22");
    late_since_the_20th(with_interest(), consumer())
        .on("2026-07-21")
        .told(hold("H-0", None, Some("2026-07-22")))
        .bears("2026-08-20", "5.72"); // 6.52 %
    late_since_the_20th(shop_b2c(), business()).bears("2026-08-20", "0.00");
}

#[test]
fn where_the_payment_day_does_not_count_interest_ends_the_day_before() {
    let interest = InterestPolicy { last_day_counts: false, ..with_interest().interest };
    let story = late_since_the_20th(Policy { interest, ..shop_b2c() }, business())
        .on("2026-07-21")
        .told(hold("H-0", None, Some("2026-07-22")))
        .bears("2026-07-20", "0.00")
        .bears("2026-08-20", "8.93"); // 31 days
    let counted = story.book(|book| book.claims[0].interest_counted_to(day("2026-08-20")));
    assert_eq!(counted, Some(day("2026-08-19")));
    story
        .told_on("2026-08-20", paid("P-1", "508.93", "2026-08-20", None))
        .owes("R-1", "500.00", "0.00")
        .bears("2026-08-21", "0.15"); // 9.0789 in all, less 8.93
}

#[test]
fn a_payment_pays_costs_and_interest_first_and_stops_interest_on_what_it_pays_of_the_principal() {
    let story = late_since_the_20th(with_interest(), business())
        .told_on("2026-08-20", paid("P-1", "459.22", "2026-08-20", None))
        .owes("R-1", "550.00", "0.00")
        .bears("2026-08-20", "0.00")
        .bears("2026-09-30", "6.50");
    let parts = &story.account.payments[&PaymentId::new("P-1").unwrap()].allocated;
    let told: Vec<_> = parts.iter().map(|part| (part.part, part.amount)).collect();
    assert_eq!(told, [(Part::Interest, amount("9.22")), (Part::Principal, amount("450.00"))]);
}

#[test]
fn exactly_the_principal_pays_the_principal_and_the_interest_stays_visible() {
    let story = late_since_the_20th(with_interest(), business())
        .told_on("2026-08-20", paid("P-1", "1000.00", "2026-08-20", None))
        .owes("R-1", "0.00", "0.00")
        .settled("R-1", None)
        .bears("2026-08-20", "9.22")
        .bears("2027-08-20", "9.22");
    let implied = story
        .log
        .iter()
        .any(|event| matches!(event, AccountEvent::PaymentAllocated { implied: true, .. }));
    assert!(implied, "it is flagged");
    story
        .told_on("2026-09-01", paid("P-2", "9.22", "2026-09-01", None))
        .settled("R-1", Some("2026-09-01"));
}

#[test]
fn what_was_never_owed_bears_no_interest_from_the_beginning() {
    late_since_the_20th(with_interest(), business())
        .told_on("2026-08-20", credited("C-1", "R-1", "2026-08-20", "500.00"))
        .bears("2026-08-20", "4.61");
    late_since_the_20th(with_interest(), business())
        .told_on("2026-08-20", disputed("E-1", "R-1", "2026-08-01", Some("500.00")))
        .told_on("2026-08-21", resolved("E-1", "R-1", "2026-08-21", DisputeOutcome::Upheld, None))
        .bears("2026-08-20", "4.61");
}

#[test]
fn an_increase_after_default_began_bears_none() {
    late_since_the_20th(with_interest(), business())
        .told_on("2026-08-01", adjusted("R-1", "2026-08-01", "2000.00"))
        .bears("2026-08-20", "9.22");
    late_since_the_20th(with_interest(), business())
        .told_on("2026-07-10", adjusted("R-1", "2026-07-10", "2000.00"))
        .on("2026-08-20")
        .told(hold("H-0", None, Some("2026-08-20")))
        .bears("2026-08-20", "18.45");
}

#[test]
fn a_new_due_date_ends_default_and_keeps_what_had_accrued() {
    late_since_the_20th(with_interest(), consumer())
        .told_on("2026-08-21", rescheduled("R-1", "2026-10-01"))
        .bears("2026-08-20", "5.72")
        .bears("2026-12-31", "5.72");
    // A business is late again 30 days after the new day: 2026-10-31 is a Saturday, and the
    // Monday after it counts.
    late_since_the_20th(with_interest(), business())
        .told_on("2026-08-21", rescheduled("R-1", "2026-10-01"))
        .bears("2026-11-02", "9.22")
        .bears("2026-11-03", "9.51");
}

#[test]
fn insolvency_and_death_end_interest() {
    late_since_the_20th(with_interest(), business())
        .told_on("2026-08-21", Fact::InsolvencyOpened { on: day("2026-08-21") })
        .bears("2026-12-31", "9.22");
    late_since_the_20th(with_interest(), consumer())
        .told_on("2026-08-21", Fact::DebtorDeceased { on: day("2026-08-21") })
        .bears("2026-12-31", "5.72");
}

#[test]
fn a_promise_that_is_kept_costs_nothing_and_a_broken_one_has_not_helped() {
    let promised = || {
        late_since_the_20th(with_interest(), business())
            .on("2026-08-20")
            .promises("Z-1", "2026-09-10")
    };
    promised().bears("2026-09-10", "9.22");
    let mut kept = promised().told_on("2026-09-10", paid("P-1", "1009.22", "2026-09-10", None));
    kept.decide();
    kept.settled("R-1", Some("2026-09-10")).bears("2026-12-31", "0.00");
    let mut broken = promised().on("2026-09-30");
    broken.decide();
    broken.bears("2026-09-30", "21.04"); // all 73 days
}

#[test]
fn while_instalments_are_kept_no_interest_runs() {
    let policy = with_interest();
    let mut story = late_since_the_20th(policy.clone(), business()).on("2026-08-20");
    let (_, open) = plannable(&story.account, Currency::EUR, story.today());
    assert_eq!(open, amount("1009.22"));
    let offered = offers(&policy, open, day("2026-09-01"));
    let rates = &offered[0].1;
    story.agree("T-1", rates).unwrap();
    for (number, rate) in rates.iter().enumerate() {
        let on = rate.due_on.to_string();
        let money = rate.amount.to_string();
        story = story.told_on(&on, paid(&format!("P-{number}"), &money, &on, Some("R-1")));
        story.decide();
    }
    story
        .settled("R-1", Some("2026-11-01"))
        .happened("PlanCompleted", 1)
        .bears("2026-12-31", "0.00");
}

#[test]
fn after_a_broken_plan_interest_runs_again_from_that_day() {
    let policy = with_interest();
    let mut story = late_since_the_20th(policy.clone(), business()).on("2026-08-20");
    let offered = offers(&policy, amount("1009.22"), day("2026-09-01"));
    story.agree("T-1", &offered[0].1).unwrap();
    let mut story = story.on("2026-09-10");
    story.decide();
    // 32 days before the plan, and from the 5th to the 30th, whenever somebody looks.
    story.happened("PlanBroken", 1).bears("2026-09-04", "9.22").bears("2026-09-30", "16.72");
}

#[test]
fn money_set_off_stops_interest_from_the_day_on_which_we_had_it() {
    // Of 500.00 too much for R-2 from 1 August on R-1 is paid: half of it bears no interest since.
    let second = Invoice { due_date_agreed: false, ..invoice("R-2", eur("100.00"), "2026-07-25") };
    late_since_the_20th(with_interest(), business())
        .told(Fact::InvoiceIssued { invoice: second })
        .told_on("2026-08-01", paid("P-1", "600.00", "2026-08-01", Some("R-2")))
        .told_on("2026-08-20", paid("P-2", "507.09", "2026-08-20", Some("R-1")))
        .settled("R-1", Some("2026-08-20"))
        .settled("R-2", Some("2026-08-01"))
        .keeps_as_credit("0.60");
}

#[test]
fn waived_interest_is_gone_and_what_accrues_later_is_not() {
    let waived = |amount: Option<Decimal>| Fact::Waived {
        invoice: id("R-1"),
        on: day("2026-08-20"),
        amount,
        part: Some(Part::Interest),
    };
    late_since_the_20th(with_interest(), business())
        .told_on("2026-08-20", waived(None))
        .bears("2026-08-20", "0.00")
        .bears("2026-08-21", "0.29");
    late_since_the_20th(with_interest(), business())
        .told_on("2026-08-20", waived(Some(amount("9.00"))))
        .bears("2026-08-20", "0.22")
        .told_on("2026-08-20", paid("P-1", "1000.22", "2026-08-20", None))
        .settled("R-1", Some("2026-08-20"));
}

#[test]
fn a_policy_asks_for_less_than_the_law_and_never_for_more() {
    let asks = |percent: &str| {
        let claimed = InterestClaimed::Percent(amount(percent));
        let interest = InterestPolicy { claimed, ..InterestPolicy::default() };
        let story = late_since_the_20th(Policy { interest, ..shop_b2c() }, consumer());
        story.on("2026-08-20").told(hold("H-0", None, Some("2026-08-20")))
    };
    asks("4").bears("2026-08-20", "3.51");
    asks("20").bears("2026-08-20", "5.72");
}

#[test]
fn a_policy_that_claims_interest_later_does_not_reach_back() {
    let story = late_since_the_20th(shop_b2c(), business()).on("2026-08-20").under(with_interest());
    let terms = |story: &Story| story.account.interest.len();
    // Whether any terms were set before: with none, the first would hold from the beginning.
    assert_eq!(terms(&story), 0);
    let mut first =
        late_since_the_20th(with_interest(), business()).on("2026-08-20").under(shop_b2c());
    first.decide();
    assert_eq!(terms(&first), 2);
    first.bears("2026-08-19", "8.93").bears("2026-12-31", "8.93");
}

#[test]
fn beyond_the_published_half_year_interest_stands_still_until_the_figure_is_there() {
    let short = BaseRates::from(vec![(day("2026-01-01"), amount("1.27"))]);
    let one = invoice("R-1", eur("1000.00"), "2026-06-30");
    let one = Invoice { due_date_agreed: true, issued_on: day("2026-06-01"), ..one };
    let mut story = Story::new(rules([with_interest()]));
    story.now = at("2026-06-01");
    let story = story
        .with(|rules| rules.creditor.base_rates = short.into())
        .told(debtor(business()))
        .told(Fact::InvoiceIssued { invoice: one })
        .on("2026-07-01")
        .bears("2026-08-20", "0.00");
    let mut story =
        story.with(|rules| rules.creditor.base_rates = germany().into()).on("2026-08-22");
    story.decide();
    story.bears("2026-08-20", "14.70"); // 51 days at 10.52 %
}

#[test]
fn a_notice_tells_interest_up_to_its_day_and_leaves_days_later_as_decided() {
    let story = late_since_the_20th(with_interest(), business())
        .on("2026-08-20 10:00")
        .decides("reminder", Email);
    let told = story.last_notice().clone();
    assert_eq!(told.interest_to, Some(day("2026-08-20")));
    assert_eq!(told.claims[0].interest, amount("9.22"));
    let later = story.on("2026-08-24 10:00");
    assert_eq!(recheck(&later.account, &later.rules, &told.notice, later.now), Recheck::Send);
    later
        .told_on("2026-08-24 10:00", credited("C-1", "R-1", "2026-08-24", "1.00"))
        .suppressed_because(kulanz_domain::event::Suppression::AmountsChanged);
}

#[test]
fn what_is_left_because_money_was_on_its_way_is_waived_where_the_policy_says_so() {
    let kind = Policy { rest_waived: amount("5.00"), ..with_interest() };
    let paid_as_told = |policy: Policy| {
        let mut story = late_since_the_20th(policy, business())
            .told_on("2026-08-22", paid("P-1", "1009.22", "2026-08-22", Some("R-1")));
        story.decide();
        story
    };
    paid_as_told(with_interest()).settled("R-1", None).owes("R-1", "0.58", "0.00");
    paid_as_told(kind.clone())
        .settled("R-1", Some("2026-08-22"))
        .happened("GivenUp", 1)
        .owes("R-1", "0.00", "0.00");
    // Less than was asked is no rest: principal is never waived.
    let mut short = late_since_the_20th(kind, business())
        .told_on("2026-07-22", paid("P-1", "997.00", "2026-07-22", Some("R-1")));
    short.decide();
    short.happened("GivenUp", 0).settled("R-1", None);
}

#[test]
fn interest_rounds_once_over_all_parts_of_its_time() {
    // Paid in pieces or not, the whole interest is the rounded sum of what accrued.
    let story = late_since_the_20th(with_interest(), business());
    let story = (1..=20).fold(story, |story, number| {
        let on = day("2026-08-01").checked_add(jiff::Span::new().days(number)).unwrap().to_string();
        story.told_on(&on, paid(&format!("P-{number}"), "1.01", &on, Some("R-1")))
    });
    let (charged, accrued) = story.book(|book| {
        let column = &book.claims[0];
        let on = day("2026-08-21");
        let segments = column.interest_segments(on);
        let exact = segments.iter().fold(Exact::default(), |sum, one| sum + one.exact);
        (column.interest_charged(on), exact.rounded(2))
    });
    assert_eq!(charged, accrued);
}

#[test]
fn the_lump_sum_is_for_businesses_in_default_and_once_a_claim() {
    let mut policy = with_interest();
    for step in &mut policy.steps {
        step.lump_sum = step.name.as_str() == "mahnung" || step.name.as_str() == "last-call";
    }
    let dunned = |who: DebtorProfile| {
        late_since_the_20th(policy.clone(), who)
            .on("2026-07-23 10:00")
            .takes("reminder", Email)
            .on("2026-08-03 10:00")
            .takes("mahnung", Email)
            .on("2026-08-25 10:00")
            .takes("instalments", Email)
            .on("2026-09-03 10:00")
            .takes("last-call", Email)
    };
    let fees = |story: &Story| story.book(|book| book.claims[0].fees);
    assert_eq!(fees(&dunned(business())), amount("40.00"));
    assert_eq!(fees(&dunned(consumer())), amount("0.00"));
}

#[test]
fn what_a_business_was_charged_is_not_owed_by_who_turns_out_to_be_a_consumer() {
    let mut policy = with_interest();
    (policy.steps[2].fee, policy.steps[4].fee) = (amount("5.00"), amount("5.00"));
    policy.steps[4].lump_sum = true;
    let ladder = |channel: Channel, policy: &Policy| {
        let who = DebtorProfile { reachable: vec![channel], ..business() };
        let one = invoice("R-1", eur("100.00"), "2026-03-15");
        let mut story = Story::new(rules([policy.clone()]));
        story.now = at("2026-03-01");
        let story = story.told(debtor(who)).told(Fact::InvoiceIssued { invoice: one });
        let story = story.on("2026-03-19").takes("reminder", channel).on("2026-03-30");
        let story = story.takes("mahnung", channel).on("2026-04-14").takes("instalments", channel);
        story.on("2026-04-21").takes("last-call", channel)
    };
    let told = |channel| DebtorProfile { reachable: vec![channel], ..consumer() };
    ladder(Email, &policy)
        .owes("R-1", "100.00", "40.00")
        .told(debtor(told(Email)))
        .owes("R-1", "100.00", "0.00")
        .happened("FeeReversed", 1);
    // A letter may cost a consumer 2.50: what is more falls whole, what is no more stays.
    policy.steps[4].lump_sum = false;
    let five = ladder(Letter, &policy).owes("R-1", "100.00", "5.00");
    five.told(debtor(told(Letter))).owes("R-1", "100.00", "0.00");
    policy.steps[4].fee = amount("2.50");
    let two = ladder(Letter, &policy).owes("R-1", "100.00", "2.50");
    two.told(debtor(told(Letter))).owes("R-1", "100.00", "2.50");
}

#[test]
fn half_years_that_nothing_needed_meanwhile_leave_no_gap_in_the_rates() {
    let table = |rows: &[(&str, &str)]| {
        BaseRates::from(rows.iter().map(|(on, rate)| (day(on), amount(rate))).collect::<Vec<_>>())
    };
    let published = [
        ("2026-01-01", "1.27"),
        ("2026-07-01", "1.52"),
        ("2027-01-01", "2.00"),
        ("2027-07-01", "3.00"),
    ];
    let mut story = Story::new(rules([with_interest()]));
    story.now = at("2026-01-02");
    // A business is late by law, takes the one rate that there is, and turns out to be a consumer.
    let story = story
        .with(|rules| rules.creditor.base_rates = table(&published[..1]).into())
        .told(debtor(business()))
        .told(issued("R-1", "100.00", "2026-01-20"))
        .told(debtor(consumer()))
        .with(|rules| rules.creditor.base_rates = table(&published).into())
        .on("2027-09-01");
    let late = Fact::DefaultDeclared {
        invoice: id("R-1"),
        from: day("2027-08-02"),
        ground: "refusal".into(),
    };
    let story = story.told(late);
    let known: Vec<_> = story.account.base_rates.as_ref().unwrap().rows().collect();
    assert_eq!(known, published.map(|(on, rate)| (day(on), amount(rate))));
    story.bears("2027-08-31", "0.66"); // 30 days at 8 %
}

#[test]
fn no_lump_sum_before_default_nor_for_damages_nor_in_francs() {
    use kulanz_domain::{law::lump_sum, policy::Law};
    let ask = |law, who, supply, currency, in_default, fees: &str| {
        lump_sum(law, who, supply, currency, in_default, amount(fees))
    };
    use DebtorKind::{Business, Consumer};
    use Supply::{GoodsServices, Other};
    let forty = amount("40");
    assert_eq!(ask(Law::De, Business, GoodsServices, Currency::EUR, true, "0"), forty);
    assert_eq!(ask(Law::De, Business, GoodsServices, Currency::EUR, true, "5.00"), amount("35.00"));
    assert_eq!(ask(Law::De, Business, GoodsServices, Currency::EUR, true, "50.00"), amount("0"));
    for nothing in [
        ask(Law::De, Consumer, GoodsServices, Currency::EUR, true, "0"),
        ask(Law::De, Business, GoodsServices, Currency::EUR, false, "0"),
        ask(Law::De, Business, Other, Currency::EUR, true, "0"),
        ask(Law::De, Business, GoodsServices, Currency::CHF, true, "0"),
        ask(Law::Ch, Business, GoodsServices, Currency::EUR, true, "0"),
        ask(Law::None, Business, GoodsServices, Currency::EUR, true, "0"),
    ] {
        assert_eq!(nothing, Decimal::ZERO);
    }
}

#[test]
fn nobody_in_default_pays_a_fee_for_interest_alone_below_the_minimum() {
    late_since_the_20th(with_interest(), business())
        .told_on("2026-07-25", paid("P-1", "1000.00", "2026-07-25", None))
        .on("2026-08-25 10:00")
        .waits(WaitReason::BelowMinimum);
}

#[test]
fn an_invoice_in_another_currency_is_refused_whatever_bears_interest() {
    let refused =
        Refusal::OtherCurrency { invoice: id("R-1"), expected: "EUR".into(), found: "USD".into() };
    let dollars =
        Fact::InvoiceAdjusted { invoice: id("R-1"), on: day("2026-08-01"), amount: usd("1.00") };
    late(with_interest()).refuses(dollars, refused);
    assert_eq!(given([]).account.interest, Account::default().interest);
}
