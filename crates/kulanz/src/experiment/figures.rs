//! A report as rows, the same for the terminal and the page.

use jiff::civil::Date;
use kulanz_domain::money::{Decimal, plain};
use kulanz_engine::trial::{ArmReport, Estimate, Median, Report};

use super::Told;

/// One row.
pub struct Figure {
    pub label: String,
    pub treated: String,
    pub control: String,
    pub difference: String,
}

/// What it is about, and the sentences below.
pub fn head(told: &Told) -> (String, Vec<String>) {
    let report = &told.report;
    let title = format!(
        "Experiment {} of {}, for {} in {}",
        report.experiment,
        report.policy,
        report.creditor,
        report.currency.code()
    );
    let shares = told.shares.iter().map(|one| {
        format!("version {}: {} % treated, {} % control", one.version, one.treated, one.control)
    });
    let mut said = vec![capital(&shares.collect::<Vec<_>>().join("; ")) + "."];
    said.push(match report.enrolled {
        None => "No account was enrolled yet: none has a claim that is overdue.".to_owned(),
        Some((first, last)) => {
            let when = match first == last {
                true => format!("on {first}"),
                false => format!("from {first} to {last}"),
            };
            let until = report.as_of.yesterday().unwrap_or(Date::MIN);
            format!("Enrolled {when}. What happened up to the end of {until} counts.")
        }
    });
    (title, said)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// All rows.
pub fn rows(report: &Report) -> Vec<Figure> {
    let (treated, control) = (&report.treated, &report.control);
    let row = |label: &str, of: &dyn Fn(&ArmReport) -> String| Figure {
        label: label.to_owned(),
        treated: of(treated),
        control: of(control),
        difference: String::new(),
    };
    let money = |amount: Decimal| plain(amount, report.currency);
    let days = report.days;
    let mut rows = vec![
        row("accounts enrolled", &|arm| arm.accounts.to_string()),
        row("claims overdue then", &|arm| arm.claims.to_string()),
        row("open then", &|arm| money(arm.open)),
        row(&format!("messages within {days} days"), &|arm| arm.messages.to_string()),
        row(&format!("accounts whose {days} days are over"), &|arm| arm.followed.to_string()),
        row("open of those", &|arm| money(arm.followed_open)),
        row("recovered of it", &|arm| money(arm.recovered)),
    ];
    rows.extend(estimate(
        "recovered share",
        [treated.share, control.share],
        (report.share_difference, "points"),
        "%",
        &|share| format!("{:.1}", share * 100.0),
        &|points| format!("{:+.1}", points * 100.0),
    ));
    rows.push(row("accounts that have paid all by now", &|arm| arm.paid.to_string()));
    rows.extend(estimate(
        &format!("mean days to pay, {days} at most"),
        [treated.mean_days, control.mean_days],
        (report.days_difference, "days"),
        "",
        &|days| format!("{days:.1}"),
        &|days| format!("{days:+.1}"),
    ));
    rows.push(row("half have paid by day", &|arm| {
        arm.median_days.map_or("not yet".to_owned(), |median| median.days.to_string())
    }));
    rows.push(row("  95 % interval", &|arm| {
        arm.median_days.and_then(interval).unwrap_or_else(|| "-".to_owned())
    }));
    rows
}

fn interval(median: Median) -> Option<String> {
    let from = median.from?;
    Some(median.to.map_or(format!("{from} or later"), |to| format!("{from} to {to}")))
}

/// A figure of both arms with its difference, and a row of intervals below.
fn estimate(
    label: &str,
    [treated, control]: [Option<Estimate>; 2],
    (difference, unit): (Option<Estimate>, &str),
    unit_of_arms: &str,
    show: &dyn Fn(f64) -> String,
    signed: &dyn Fn(f64) -> String,
) -> [Figure; 2] {
    let none = || "-".to_owned();
    let with = |text: String, unit: &str| format!("{text} {unit}").trim_end().to_owned();
    let value =
        |one: Option<Estimate>| one.map_or_else(none, |one| with(show(one.value), unit_of_arms));
    let range = |one: Option<Estimate>, show: &dyn Fn(f64) -> String, unit: &str| {
        let interval = one.and_then(|one| one.interval);
        interval
            .map_or_else(none, |(from, to)| with(format!("{} to {}", show(from), show(to)), unit))
    };
    [
        Figure {
            label: label.to_owned(),
            treated: value(treated),
            control: value(control),
            difference: difference.map_or_else(none, |one| format!("{} {unit}", signed(one.value))),
        },
        Figure {
            label: "  95 % interval".to_owned(),
            treated: range(treated, show, unit_of_arms),
            control: range(control, show, unit_of_arms),
            difference: range(difference, signed, ""),
        },
    ]
}
