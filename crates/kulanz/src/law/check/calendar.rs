//! Worked examples of business days and holidays.

use jiff::{Span, civil::Date};
use kulanz_domain::calendar::{Region, add_business_days, holiday, is_business_day, roll_193};
use serde_json::{Map, Value, json};

use super::{Computed, Difference, Entry, Malformed, Odd, Tables, Verdict, compare};
use crate::law::derivation::region;

/// `business_days`.
pub fn business_day(entry: &Entry<'_>, _: &Tables) -> Result<Computed, Odd> {
    let day = entry.day("date")?;
    let state = entry.state("state")?.ok_or_else(|| Odd::unclear("`state` is missing"))?;
    let other = entry.state("debtor_state")?.unwrap_or(state);
    let op = entry.text("op").ok_or_else(|| Odd::unclear("`op` is missing"))?;
    let n = || {
        let n = entry.get("n").and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
        n.ok_or_else(|| Odd::unclear("`n` is no whole number"))
    };
    let result = match op {
        "is_business_day" => json!(is_business_day(day, state)),
        "is_holiday" => json!(holiday(day, state).is_some()),
        "holiday" | "holiday_name" => json!(holiday(day, state)),
        "roll_193" | "roll" => json!(roll_193(day, &[state, other])),
        "add_business_days" | "add" | "nth_business_day" => {
            json!(add_business_days(day, n()?, state))
        }
        "subtract_business_days" | "sub_business_days" => {
            json!(add_business_days(day, n()?.saturating_neg(), state))
        }
        "next_business_day" => json!(add_business_days(day, 1, state)),
        "previous_business_day" => json!(add_business_days(day, -1, state)),
        other => return Err(Odd::unclear(format!("the op `{other}`"))),
    };
    let mut expected = Map::new();
    let told = entry.keys().any(|key| key == "expected");
    if !told {
        return Err(Odd::unclear("`expected` is missing"));
    }
    expected.insert("expected".to_owned(), entry.get("expected").cloned().unwrap_or(Value::Null));
    // Only where the day itself is asked about, no name means that it is no holiday.
    let found_name = holiday(day, state);
    let asked = entry.keys().any(|key| key == "holiday");
    match entry.text("holiday") {
        Some(name) if found_name.is_some_and(|found| same_holiday(name, found)) => {}
        Some(name) => {
            expected.insert("holiday".to_owned(), name.into());
        }
        None if asked && op.starts_with("is_") => {
            expected.insert("holiday".to_owned(), Value::Null);
        }
        None => {}
    }
    Ok(Computed {
        expected: Value::Object(expected),
        found: json!({ "expected": result, "holiday": found_name }),
    })
}

/// Several names are in use for some days.
fn same_holiday(one: &str, other: &str) -> bool {
    const NAMES: [&[&str]; 6] = [
        &["Neujahr", "Neujahrstag"],
        &["Frauentag", "Internationaler Frauentag"],
        &["Heilige Drei Könige", "Dreikönigstag", "Erscheinung des Herrn"],
        &["Weltkindertag", "Kindertag"],
        &["1. Weihnachtstag", "1. Weihnachtsfeiertag", "Erster Weihnachtstag", "Weihnachten"],
        &["2. Weihnachtstag", "2. Weihnachtsfeiertag", "Zweiter Weihnachtstag"],
    ];
    let within = |names: &&[&str]| names.contains(&one) && names.contains(&other);
    one == other || NAMES.iter().any(within)
}

/// `holidays`: one example for each state and year.
pub fn holidays(years: &Value) -> Result<Vec<Verdict>, Malformed> {
    let no_map = |place: &str| Malformed(format!("{place}: not an object"));
    let mut verdicts = Vec::new();
    for (year, states) in years.as_object().ok_or_else(|| no_map("holidays"))? {
        let place = format!("holidays.{year}");
        for (state, days) in states.as_object().ok_or_else(|| no_map(&place))? {
            verdicts.push(Verdict {
                list: "holidays".to_owned(),
                id: format!("{place}.{state}"),
                unsure: false,
                differences: differences(year, state, days),
            });
        }
    }
    Ok(verdicts)
}

fn differences(year: &str, state: &str, days: &Value) -> Vec<Difference> {
    let (Ok(year), true) = (year.parse(), days.is_array()) else {
        let reason = "not a list of days for a state in a year".to_owned();
        return vec![Difference::NotUnderstood(reason)];
    };
    match region(state) {
        Ok(state) => compare(&json!({ "days": days }), &json!({ "days": of_year(year, state) })),
        Err(unknown) => vec![Difference::Refused(unknown)],
    }
}

/// All holidays of a state in a year.
fn of_year(year: i16, state: Region) -> Vec<Date> {
    let Ok(first) = Date::new(year, 1, 1) else { return Vec::new() };
    let days = first.series(Span::new().days(1)).take_while(|day| day.year() == year);
    days.filter(|&day| holiday(day, state).is_some()).collect()
}
