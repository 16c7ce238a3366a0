//! `kulanz law interest`.

use std::path::Path;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use kulanz_domain::{
    fact::{DebtorKind, Supply},
    law::{
        interest::{
            DayCount, Factor, InterestError, Obligation, Rate, Segment, each_segment, interest,
            statutory_rate,
        },
        rates::{BaseRates, RateTable},
    },
    money::{self, Decimal},
    policy::Law,
};
use serde_json::{Value, json};

use super::{
    derivation::{amount, days, decimal, print, print_json, table},
    rates,
};
use crate::house::machine_day;

pub const EXAMPLES: &str = "\
Examples:
  kulanz law interest 1000.00 --from 2025-01-15 --to 2025-01-31
  kulanz law interest 10000.00 --debtor business --from 2021-03-01 --to 2026-03-01
  kulanz law interest 5000.00 --debtor business --arose 2014-07-28 --from 2014-06-01 --to 2014-12-31
  kulanz law interest 1000.00 --law at --from 2025-01-01 --to 2025-12-31

Both days count. Nothing is rounded before the end; the amount is rounded once, half up.";

/// What bears interest, and when.
#[derive(Debug, Args)]
pub struct Options {
    /// Principal that is owed; costs and interest bear none (§ 289 BGB)
    principal: String,
    /// First day
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    from: Date,
    /// Last day
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    to: Date,
    /// Who owes it
    #[arg(long, value_enum, default_value = "consumer")]
    debtor: Debtor,
    /// Whose law
    #[arg(long, value_enum, default_value = "de")]
    law: Country,
    /// Day on which the obligation arose: before 2014-07-29 businesses owe 8 points
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    arose: Option<Date>,
    /// Of a continuing obligation: day on which this part of it was performed
    #[arg(long, value_name = "DATE", value_parser = crate::typed::day)]
    performed: Option<Date>,
    /// Not for goods or services (damages, fines, repayments)
    #[arg(long)]
    other: bool,
    /// An agreed rate, percent a year, instead of the law's
    #[arg(long, value_parser = decimal, allow_negative_numbers = true)]
    rate: Option<Decimal>,
    /// How days become a share of a year
    #[arg(long, value_enum, default_value = "act_act")]
    count: Count,
    /// Currency
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Debtor {
    Consumer,
    Business,
}

impl Debtor {
    /// As the rules know it.
    pub const fn kind(self) -> DebtorKind {
        match self {
            Self::Consumer => DebtorKind::Consumer,
            Self::Business => DebtorKind::Business,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Country {
    De,
    At,
    Ch,
}

impl Country {
    const fn law(self) -> Law {
        match self {
            Self::De => Law::De,
            Self::At => Law::At,
            Self::Ch => Law::Ch,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Count {
    /// Days over the year's own length
    #[value(name = "act_act")]
    ActAct,
    /// Days over 365
    #[value(name = "act_365")]
    Act365,
    /// Months of 30 days over 360
    #[value(name = "d30_360")]
    D30360,
}

impl Count {
    const fn day_count(self) -> DayCount {
        match self {
            Self::ActAct => DayCount::ActAct,
            Self::Act365 => DayCount::Act365,
            Self::D30360 => DayCount::D30360,
        }
    }
}

/// A debt over some days, at a rate.
pub struct Question<'a> {
    /// Principal.
    pub principal: Decimal,
    /// Rate.
    pub rate: Rate,
    /// First and last day, both counted.
    pub days: (Date, Date),
    /// Base rates.
    pub base_rates: &'a BaseRates,
    /// Decimals of the currency.
    pub decimals: u32,
}

impl Question<'_> {
    /// The interest, rounded once.
    pub fn interest(&self, count: DayCount) -> Result<Decimal, InterestError> {
        let exact = interest(self.principal, self.rate, self.base_rates, count, self.days)?;
        Ok(exact.rounded(self.decimals))
    }

    fn segments(&self, count: DayCount) -> Result<Vec<Segment>, InterestError> {
        let mut segments = Vec::new();
        let (from, to) = self.days;
        each_segment(self.rate, self.base_rates, count, from, to, |one| segments.push(one))?;
        Ok(segments)
    }

    /// With the names that worked examples use.
    pub fn row(&self) -> Result<Value, InterestError> {
        let mut counted = Vec::new();
        for count in DayCount::ALL {
            counted.push((count, self.segments(count)?, self.interest(count)?));
        }
        let mut segments = Vec::new();
        let mut all_days = 0;
        let actual = counted.first().map(|(_, segments, _)| segments.as_slice());
        for (at, segment) in actual.unwrap_or_default().iter().enumerate() {
            all_days += segment.days;
            let mut row = json!({
                "from": segment.from, "to": segment.to, "days": segment.days,
                "base_rate": segment.base.map(|base| base.to_string()),
                "margin": margin(self.rate).map(|points| points.to_string()),
                "rate": segment.percent.to_string(), "year_days": segment.year.number(),
            });
            for (count, segments, _) in &counted {
                let exact = segments.get(at).map(|one| Factor::of(one).on(self.principal));
                let name = format!("interest_{}", count.name());
                row[name] = exact.map(|exact| format!("{:.6}", exact.rounded(6))).into();
            }
            segments.push(row);
        }
        let mut interest = json!({});
        for (count, _, amount) in &counted {
            interest[count.name()] = self.shown(*amount).into();
        }
        Ok(json!({ "days": all_days, "segments": segments, "interest": interest }))
    }

    fn shown(&self, amount: Decimal) -> String {
        let places = usize::try_from(self.decimals).unwrap_or(2);
        format!("{amount:.places$}")
    }

    fn derivation(&self, count: DayCount) -> Result<Vec<String>, InterestError> {
        let segments = self.segments(count)?;
        let rows: Vec<Vec<String>> = segments
            .iter()
            .map(|segment| {
                let exact = Factor::of(segment).on(self.principal);
                vec![
                    segment.from.to_string(),
                    segment.to.to_string(),
                    segment.days.to_string(),
                    segment.year.number().to_string(),
                    segment.base.map_or_else(|| "-".to_owned(), |base| base.to_string()),
                    margin(self.rate).map_or_else(|| "-".to_owned(), |points| points.to_string()),
                    segment.percent.to_string(),
                    format!("{:.6}", exact.rounded(6)),
                ]
            })
            .collect();
        let head = ["from", "to", "days", "of", "base rate", "points", "rate", "interest"];
        let mut lines = table(&head, &rows);
        let sum: i32 = segments.iter().map(|segment| segment.days).sum();
        let (interest, principal) = (self.interest(count)?, self.shown(self.principal));
        lines.push(format!(
            "Interest on {principal} for {}: {} ({}, rounded once)",
            days(sum),
            self.shown(interest),
            count.name()
        ));
        Ok(lines)
    }
}

const fn margin(rate: Rate) -> Option<Decimal> {
    match rate {
        Rate::OverBase(points) | Rate::AtMost(_, points) => Some(points),
        Rate::Fixed(_) => None,
    }
}

/// Answers.
pub fn run(data: &Path, options: &Options) -> Result<()> {
    let currency = money::currency(&options.currency)?;
    let law = options.law.law();
    let which = match law {
        Law::At => RateTable::Austria,
        _ => RateTable::Germany,
    };
    let used = rates::base_rates(data, which)?;
    let base_rates = &used.table;
    let obligation = Obligation {
        debtor: options.debtor.kind(),
        supply: if options.other { Supply::Other } else { Supply::GoodsServices },
        // What bears interest arose before it did.
        arose_on: options.arose.or(Some(options.from)),
        performed_on: options.performed,
    };
    let Some(rate) = options.rate.map(Rate::Fixed).or_else(|| statutory_rate(law, obligation))
    else {
        bail!("no law of ours gives a rate: name one with --rate");
    };
    let question = Question {
        principal: amount(&options.principal, currency)?,
        rate,
        days: (options.from, options.to),
        base_rates,
        decimals: money::decimals(currency).unwrap_or(2),
    };
    let count = options.count.day_count();
    let mut lines = question.derivation(count)?;
    lines.insert(0, ground(law, rate, obligation, options.rate.is_some()));
    if options.json {
        let mut answer = question.row()?;
        answer["count"] = count.name().into();
        answer["amount"] = question.shown(question.interest(count)?).into();
        answer["explanation"] = lines.into();
        print_json(&answer)?;
    } else {
        print(&lines);
    }
    if rate.needs_base()
        && let Some(warning) = rates::warning(&used, which, machine_day())
    {
        eprintln!("warning: {warning}");
    }
    Ok(())
}

fn ground(law: Law, rate: Rate, obligation: Obligation, agreed: bool) -> String {
    if agreed {
        return "The rate as agreed (§ 288 (3) BGB)".to_owned();
    }
    let commercial =
        obligation.debtor == DebtorKind::Business && obligation.supply == Supply::GoodsServices;
    match (law, commercial) {
        (Law::De, false) => "Base rate + 5 points (§§ 288 (1), 247 BGB)".to_owned(),
        (Law::De, true) if margin(rate) == Some(Decimal::from(8)) => {
            "Base rate + 8 points: obligation from before 2014-07-29 (Art. 229 § 34 EGBGB)"
                .to_owned()
        }
        (Law::De, true) => "Base rate + 9 points (§§ 288 (2), 247 BGB)".to_owned(),
        (Law::At, true) => {
            "Base rate of each half-year's first day + 9.2 points (§ 456 UGB)".to_owned()
        }
        (Law::At, false) => "4 % (§§ 1333, 1000 ABGB)".to_owned(),
        (Law::Ch, _) => "5 % (OR 104 (1))".to_owned(),
        (Law::None, _) => "No law of ours".to_owned(),
    }
}
