//! `kulanz law business-day`.

use anyhow::Result;
use clap::Args;
use jiff::civil::{Date, Weekday};
use kulanz_domain::calendar::{Region, add_business_days, holiday, is_business_day, roll_193};
use serde::Serialize;

use super::derivation::{print, print_json, region, weekday};

pub const EXAMPLES: &str = "\
Examples:
  kulanz law business-day 2026-06-04 --state NW
  kulanz law business-day 2026-12-23 --state BY --add 5
  kulanz law business-day 2026-04-07 --state BB --add=-1

Holidays are exact for 2000 to 2040. Days that only some communes keep are not among them.";

/// What to look at.
#[derive(Debug, Args)]
pub struct Options {
    /// Day
    #[arg(value_name = "DATE", value_parser = crate::typed::day)]
    day: Date,
    /// State whose holidays count (NW, BY, …), or AT, CH, IT, US, NONE; the days of all German
    /// states where left out
    #[arg(long, default_value = "DE", value_parser = region)]
    state: Region,
    /// Also the n-th business day after it, or before it (`--add=-3`)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    add: Option<i32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer {
    date: Date,
    state: Region,
    is_business_day: bool,
    holiday: Option<&'static str>,
    weekend: bool,
    /// Where a deadline ends that would end on the day.
    rolled_193: Date,
    add: Option<i32>,
    result: Option<Date>,
    explanation: Vec<String>,
}

/// Answers.
pub fn run(options: &Options) -> Result<()> {
    let &Options { day, state, add, json } = options;
    let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    let mut answer = Answer {
        date: day,
        state,
        is_business_day: is_business_day(day, state),
        holiday: holiday(day, state),
        weekend,
        rolled_193: roll_193(day, &[state]),
        add,
        result: add.map(|n| add_business_days(day, n, state)),
        explanation: Vec::new(),
    };
    answer.explanation = explanation(&answer);
    match json {
        true => print_json(&answer)?,
        false => print(&answer.explanation),
    }
    Ok(())
}

fn explanation(answer: &Answer) -> Vec<String> {
    let day = weekday(answer.date);
    let why = match (answer.holiday, answer.weekend) {
        (Some(name), _) => format!("is no business day in {}: {name}", answer.state),
        (None, true) => "is no business day: a weekend".to_owned(),
        (None, false) => format!("is a business day in {}", answer.state),
    };
    let rolled = match answer.rolled_193 == answer.date {
        true => "a deadline that ends on it is not moved (§ 193 BGB)".to_owned(),
        false => {
            format!("a deadline that ends on it ends on {} (§ 193 BGB)", weekday(answer.rolled_193))
        }
    };
    let mut lines = vec![format!("{day} {why}"), rolled];
    if let (Some(n), Some(result)) = (answer.add, answer.result) {
        let number = n.unsigned_abs();
        let plural = if number == 1 { "" } else { "s" };
        let side = if n < 0 { "before" } else { "after" };
        lines.push(format!("{number} business day{plural} {side} it: {}", weekday(result)));
    }
    lines
}
