#![allow(clippy::unwrap_used, clippy::expect_used)]

use jiff::civil::date;
use proptest::prelude::*;

use super::{LimitationStep as Step, *};

fn standard(due_on: &str) -> LimitationCase {
    let period = Period::Standard { due_on: due_on.parse().unwrap() };
    LimitationCase {
        period,
        suspensions: Vec::new(),
        acknowledged_on: Vec::new(),
        regions: vec![Region::DeNw],
    }
}

fn title(final_on: &str) -> LimitationCase {
    let period = Period::Title { final_on: final_on.parse().unwrap() };
    LimitationCase { period, ..standard("2000-01-01") }
}

impl LimitationCase {
    fn stood_still(mut self, ground: SuspensionGround, from: &str, to: &str) -> Self {
        let to = (!to.is_empty()).then(|| to.parse().unwrap());
        self.suspensions.push(Suspension { from: from.parse().unwrap(), to, ground });
        self
    }

    fn suspended(self, from: &str, to: &str) -> Self {
        self.stood_still(SuspensionGround::Other, from, to)
    }

    fn acknowledged(mut self, on: &str) -> Self {
        self.acknowledged_on.push(on.parse().unwrap());
        self
    }

    /// Checks the last day (and the day by which to act, where it is another one).
    #[track_caller]
    fn ends(self, expected: &str) -> Vec<Step> {
        let found = limitation(&self).unwrap();
        let day = |day: Option<Date>| day.map_or("never".to_owned(), |day| day.to_string());
        let (last_day, act_by) = (day(found.last_day), day(found.act_by));
        let told = match last_day == act_by {
            true => last_day,
            false => format!("{last_day}, act by {act_by}"),
        };
        assert_eq!(told, expected, "{:#?}", found.steps);
        found.steps
    }
}

#[test]
fn a_claim_is_barred_three_years_after_the_end_of_its_year() {
    standard("2023-10-12").ends("2026-12-31");
    standard("2022-12-31").ends("2025-12-31");
    standard("2023-01-01").ends("2026-12-31");
    standard("2020-02-29").ends("2023-12-31, act by 2024-01-02");
    standard("2019-05-01").ends("2022-12-31, act by 2023-01-02");
}

#[test]
fn a_title_lasts_thirty_years_from_the_day_on_which_it_became_final() {
    title("2024-05-20").ends("2054-05-20");
    title("2024-02-29").ends("2054-02-28, act by 2054-03-02");
    title("2010-05-13").ends("2040-05-13, act by 2040-05-14");
    title("2024-05-20").acknowledged("2030-01-15").ends("2060-01-15");
}

#[test]
fn suspended_days_are_added_each_once() {
    standard("2022-05-10").suspended("2024-03-01", "2024-06-08").ends("2026-04-10");
    standard("2022-05-10").suspended("2025-12-15", "2026-09-15").ends("2026-10-02");
    // Ten days and ten days that share five.
    let twice = standard("2022-05-10")
        .suspended("2024-03-06", "2024-03-15")
        .suspended("2024-03-01", "2024-03-10");
    twice.ends("2026-01-15");
    let within = standard("2022-05-10").suspended("2024-01-01", "2024-12-31").stood_still(
        SuspensionGround::Deferral,
        "2024-03-01",
        "2024-03-10",
    );
    within.ends("2027-01-01, act by 2027-01-04");
    let next_to_each_other = standard("2022-05-10")
        .suspended("2024-03-01", "2024-03-10")
        .suspended("2024-03-11", "2024-03-15");
    next_to_each_other.ends("2026-01-15");
    // 29 February is a day.
    standard("2022-05-10")
        .suspended("2024-02-28", "2024-03-01")
        .ends("2026-01-03, act by 2026-01-05");
}

#[test]
fn only_suspended_days_within_the_period_count() {
    let before = standard("2022-05-10").suspended("2022-06-01", "2022-12-31").ends("2025-12-31");
    assert!(before.iter().any(|step| matches!(step, Step::SuspendedTooEarly { .. })));
    // Over the year's end: January counts, December does not.
    standard("2022-05-10")
        .suspended("2022-12-01", "2023-01-31")
        .ends("2026-01-31, act by 2026-02-02");
    let after = standard("2022-05-10").suspended("2026-01-01", "2026-03-31").ends("2025-12-31");
    assert!(after.iter().any(|step| matches!(step, Step::SuspendedTooLate { .. })));
    standard("2022-05-10")
        .suspended("2025-12-31", "2026-01-31")
        .ends("2026-02-01, act by 2026-02-02");
    // The second one begins in the days that the first one added.
    let chain = standard("2022-05-10")
        .suspended("2025-06-01", "2025-06-30")
        .suspended("2026-01-10", "2026-01-19");
    chain.ends("2026-02-09");
}

#[test]
fn while_a_suspension_goes_on_the_period_has_no_end() {
    let steps = standard("2022-05-10").suspended("2025-11-03", "").ends("never");
    assert!(steps.contains(&Step::StandsStill { from: date(2025, 11, 3) }));
    standard("2022-05-10").suspended("2026-01-01", "").ends("2025-12-31");
    let covered = standard("2022-05-10").suspended("2024-01-01", "").stood_still(
        SuspensionGround::Negotiation,
        "2024-03-01",
        "2024-04-01",
    );
    covered.ends("never");
    standard("2022-05-10").suspended("2022-06-01", "").ends("never");
}

#[test]
fn after_negotiations_three_months_remain() {
    let talks =
        |from, to| standard("2022-05-10").stood_still(SuspensionGround::Negotiation, from, to);
    // Twelve days of talks leave twelve days; the law leaves three months.
    talks("2025-12-20", "2025-12-31").ends("2026-03-31");
    talks("2025-10-01", "2025-11-30").ends("2026-03-02");
    talks("2024-03-01", "2024-06-08").ends("2026-04-10");
    talks("2026-01-02", "2026-01-05").ends("2025-12-31");
    talks("2025-12-30", "").ends("never");
    talks("2022-06-01", "2022-12-31").ends("2025-12-31");
}

#[test]
fn a_court_adds_six_months_after_the_last_act() {
    let order =
        standard("2022-05-10").stood_still(SuspensionGround::Court, "2025-12-15", "2026-03-15");
    let steps = order.ends("2026-10-02");
    let more = Step::SixMonthsMore { ended_on: date(2026, 3, 15), to: date(2026, 9, 15) };
    assert!(steps.contains(&more));
}

#[test]
fn an_acknowledgement_starts_three_years_on_the_next_day() {
    standard("2022-05-10").acknowledged("2024-05-20").ends("2027-05-20");
    standard("2022-05-10").acknowledged("2024-02-29").ends("2027-02-28, act by 2027-03-01");
    standard("2022-05-10").acknowledged("2025-12-31").ends("2028-12-31, act by 2029-01-02");
    standard("2022-05-10").acknowledged("2023-01-01").ends("2026-01-01, act by 2026-01-02");
    let twice = standard("2022-05-10").acknowledged("2027-03-04").acknowledged("2024-05-20");
    twice.ends("2030-03-04");
}

#[test]
fn an_acknowledgement_before_or_after_the_period_changes_nothing() {
    let early = standard("2022-05-10").acknowledged("2022-08-01").ends("2025-12-31");
    assert!(early.iter().any(|step| matches!(step, Step::AcknowledgedTooEarly { .. })));
    let late = standard("2022-05-10").acknowledged("2026-01-01").ends("2025-12-31");
    assert!(late.iter().any(|step| matches!(step, Step::AcknowledgedTooLate { .. })));
    // The first one keeps the claim alive for the second one, and the gap after it is too long.
    let gap = standard("2022-05-10").acknowledged("2023-05-20").acknowledged("2026-05-21");
    gap.ends("2026-05-20");
}

#[test]
fn suspension_and_acknowledgement_work_together() {
    // The hundred days before the acknowledgement are past.
    let before =
        standard("2022-05-10").suspended("2023-03-01", "2023-06-08").acknowledged("2024-05-20");
    before.ends("2027-05-20");
    let after =
        standard("2022-05-10").acknowledged("2024-05-20").suspended("2025-03-01", "2025-06-08");
    after.ends("2027-08-28, act by 2027-08-30");
    // Made while the period stood still: it runs from the end of that.
    let during =
        standard("2022-05-10").suspended("2024-03-01", "2024-06-08").acknowledged("2024-05-20");
    during.ends("2027-06-08");
    // Only the suspension kept the claim alive for it.
    let thanks =
        standard("2022-05-10").suspended("2025-12-15", "2026-09-15").acknowledged("2026-09-20");
    thanks.ends("2029-09-20");
    // What began after it cannot have.
    let no_thanks =
        standard("2022-05-10").suspended("2026-01-15", "2026-09-15").acknowledged("2026-02-01");
    no_thanks.ends("2025-12-31");
}

#[test]
fn the_day_by_which_to_act_keeps_the_holidays_of_each_state() {
    let in_state = |region| LimitationCase {
        regions: vec![region],
        ..standard("2022-05-10").acknowledged("2024-06-03")
    };
    in_state(Region::DeNw).ends("2027-06-03");
    let corpus_christi = |region| LimitationCase {
        regions: vec![region],
        ..standard("2022-05-10").acknowledged("2024-05-27")
    };
    corpus_christi(Region::DeNw).ends("2027-05-27, act by 2027-05-28");
    corpus_christi(Region::DeNi).ends("2027-05-27");
}

#[test]
fn a_suspension_that_ends_before_it_starts_is_refused() {
    let wrong = standard("2022-05-10").suspended("2024-06-08", "2024-03-01");
    let told = limitation(&wrong).unwrap_err().to_string();
    assert_eq!(told, "the suspension from 2024-06-08 ends on 2024-03-01, before it starts");
}

#[test]
fn the_end_of_time_is_no_fault() {
    standard("9999-12-31").ends("9999-12-31");
    title("9998-01-01").ends("9999-12-31");
}

#[test]
fn the_worked_examples_come_out_to_the_day() {
    let all: serde_json::Value =
        serde_json::from_str(include_str!("../../../testdata/law.json")).unwrap();
    let mut seen = 0;
    for entry in all["limitation"].as_array().unwrap() {
        let text = |key: &str| entry[key].as_str();
        let mut case = match text("title_final") {
            Some(final_on) => title(final_on),
            None => standard(text("claim_due").unwrap()),
        };
        case.regions = text("state").map(|state| state.parse().unwrap()).into_iter().collect();
        case.acknowledged_on =
            text("acknowledged").map(|on| on.parse().unwrap()).into_iter().collect();
        for days in entry["suspensions"].as_array().into_iter().flatten() {
            case = case.suspended(days[0].as_str().unwrap(), days[1].as_str().unwrap());
        }
        let found = limitation(&case).unwrap();
        let day = |day: Option<Date>| day.map(|day| day.to_string());
        assert_eq!(day(found.last_day).as_deref(), text("expected_last_day"), "{entry}");
        if let Some(act_by) = text("expected_act_by_193") {
            assert_eq!(day(found.act_by).as_deref(), Some(act_by), "{entry}");
        }
        seen += 1;
    }
    assert_eq!(seen, 7);
}

/// The same end by another road: a day at a time, counting those on which nothing stood still.
fn day_by_day(due_on: Date, stood_still: &[(Date, Date)]) -> Date {
    let (first_day, last_day) = Period::Standard { due_on }.bounds();
    let length = (last_day - first_day).get_days() + 1;
    let runs = |day: &Date| !stood_still.iter().any(|(from, to)| from <= day && day <= to);
    let days = first_day.series(1.days()).filter(runs);
    days.take(usize::try_from(length).unwrap()).last().unwrap()
}

proptest! {
    #[test]
    fn suspensions_in_any_order_leave_the_period_its_days(
        due in 0..400_i32,
        given in prop::collection::vec((0..2_000_i32, 0..500_i32), 0..6),
    ) {
        let on = |days: i32| date(2022, 1, 1).saturating_add(days.days());
        let spans: Vec<(Date, Date)> =
            given.iter().map(|(from, length)| (on(*from), on(from + length))).collect();
        let suspensions = spans.iter().map(|&(from, to)| Suspension {
            from,
            to: Some(to),
            ground: SuspensionGround::Deferral,
        });
        let case = LimitationCase {
            period: Period::Standard { due_on: on(due) },
            suspensions: suspensions.collect(),
            ..standard("2022-05-10")
        };
        let found = limitation(&case).unwrap();
        prop_assert_eq!(found.last_day, Some(day_by_day(on(due), &spans)));
    }
}
