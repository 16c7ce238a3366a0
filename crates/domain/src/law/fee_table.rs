//! The table of § 13 RVG: fees by value, with the day from which each tariff holds.
//!
//! Data, not code: a file of the same form may replace the shipped one. It is read strictly, and a
//! fault is named with its line.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;
use thiserror::Error;

use crate::money::{Currency, LARGEST, Money};

const SHIPPED: &str = include_str!("../../data/rvg.csv");
const HEADER: &str = "valid_from,kind,up_to,each,fee";

/// Tariffs, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FeeTable {
    tariffs: Vec<Tariff>,
}

/// The fees for mandates from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tariff {
    /// First day of mandates for which it holds.
    pub valid_from: Date,
    /// Undisputed claims up to this value have a fee of their own (§ 13 (2) RVG).
    pub small_claim_up_to: Decimal,
    /// That fee.
    pub small_claim_fee: Decimal,
    /// Value up to which the first fee holds.
    pub first_up_to: Decimal,
    /// First fee.
    pub first_fee: Decimal,
    /// What higher values add.
    pub steps: Vec<FeeStep>,
}

/// `fee` more for each started `each`, up to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FeeStep {
    /// Value up to which the step holds; the last one has no end.
    pub up_to: Option<Decimal>,
    /// For each started amount of this size.
    pub each: Decimal,
    /// That much more.
    pub fee: Decimal,
}

/// Why a file is no fee table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct FeeTableError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Tariff {
    /// The 1.0 fee of § 13 (1) RVG for `value`. [V]
    pub fn fee(&self, value: Decimal) -> Decimal {
        let mut fee = self.first_fee;
        let mut reached = self.first_up_to;
        for step in &self.steps {
            if value <= reached {
                break;
            }
            let end = step.up_to.map_or(value, |up_to| up_to.min(value));
            fee += step.fee * ((end - reached) / step.each).ceil();
            reached = end;
        }
        fee
    }

    /// The 1.0 business fee for `value`: § 13 (2) RVG for an undisputed claim up to EUR 50. [V]
    pub fn business_fee(&self, value: Decimal, undisputed: bool) -> Decimal {
        match undisputed && value <= self.small_claim_up_to {
            true => self.small_claim_fee,
            false => self.fee(value),
        }
    }

    /// Its name among people: the year from which it holds.
    pub fn name(&self) -> String {
        self.valid_from.year().to_string()
    }
}

impl FeeTable {
    /// The table that Kulanz brings.
    pub fn shipped() -> Result<Self, FeeTableError> {
        Self::parse(SHIPPED)
    }

    /// Reads a table. Lines that begin with `#` and empty lines say nothing.
    pub fn parse(text: &str) -> Result<Self, FeeTableError> {
        let mut rows = text
            .trim_start_matches('\u{feff}')
            .lines()
            .enumerate()
            .map(|(at, row)| (at + 1, row.trim_end()))
            .filter(|(_, row)| !row.is_empty() && !row.starts_with('#'));
        match rows.next() {
            Some((_, HEADER)) => {}
            Some((line, _)) => return Err(fault(line, format!("the columns are `{HEADER}`"))),
            None => return Err(fault(1, "the file is empty".to_owned())),
        }
        let mut drafts: Vec<Draft> = Vec::new();
        let mut last_line = 1;
        for (line, row) in rows {
            last_line = line;
            let row = Row::parse(row).map_err(|reason| fault(line, reason))?;
            let at_last = drafts.last().map(|draft| draft.valid_from);
            match at_last {
                Some(day) if row.valid_from == day => {}
                Some(day) if row.valid_from < day => {
                    let reason = format!("{} comes after {day}: wrong order", row.valid_from);
                    return Err(fault(line, reason));
                }
                _ => {
                    if let Some(draft) = drafts.last() {
                        draft.complete().map_err(|reason| fault(line, reason))?;
                    }
                    drafts.push(Draft::new(row.valid_from));
                }
            }
            if let Some(draft) = drafts.last_mut() {
                draft.take(&row).map_err(|reason| fault(line, reason))?;
            }
        }
        let tariffs = drafts.iter().map(Draft::complete).collect::<Result<Vec<_>, _>>();
        let tariffs = tariffs.map_err(|reason| fault(last_line, reason))?;
        match tariffs.is_empty() {
            true => Err(fault(last_line, "no tariff follows".to_owned())),
            false => Ok(Self { tariffs }),
        }
    }

    /// The table as a file that [`FeeTable::parse`] reads.
    pub fn to_csv(&self) -> String {
        let mut file = format!("{HEADER}\n");
        for tariff in &self.tariffs {
            let mut row =
                |kind: &str, up_to: Option<Decimal>, each: Option<Decimal>, fee: Decimal| {
                    let plain = |amount: Option<Decimal>| {
                        amount.map_or_else(String::new, |amount| format!("{amount:.2}"))
                    };
                    let (from, up_to, each) = (tariff.valid_from, plain(up_to), plain(each));
                    file += &format!("{from},{kind},{up_to},{each},{fee:.2}\n");
                };
            row("small_claim", Some(tariff.small_claim_up_to), None, tariff.small_claim_fee);
            row("first", Some(tariff.first_up_to), None, tariff.first_fee);
            tariff.steps.iter().for_each(|step| row("step", step.up_to, Some(step.each), step.fee));
        }
        file
    }

    /// The tariff for a mandate given on `day` (§ 60 RVG); `None` before the first. [V]
    pub fn on(&self, day: Date) -> Option<&Tariff> {
        self.tariffs.iter().rev().find(|tariff| tariff.valid_from <= day)
    }

    /// All tariffs, oldest first.
    pub fn tariffs(&self) -> &[Tariff] {
        &self.tariffs
    }
}

fn fault(line: usize, reason: String) -> FeeTableError {
    FeeTableError { line, reason }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    SmallClaim,
    First,
    Step,
}

struct Row {
    valid_from: Date,
    kind: Kind,
    up_to: Option<Decimal>,
    each: Option<Decimal>,
    fee: Decimal,
}

impl Row {
    fn parse(row: &str) -> Result<Self, String> {
        let columns: Vec<&str> = row.split(',').map(str::trim).collect();
        let [valid_from, kind, up_to, each, fee] = columns[..] else {
            return Err(format!("{} columns instead of 5", columns.len()));
        };
        let date = valid_from.parse().ok().filter(|day: &Date| day.to_string() == valid_from);
        let valid_from = date.ok_or_else(|| format!("`{valid_from}` is no day (YYYY-MM-DD)"))?;
        let kind = match kind {
            "small_claim" => Kind::SmallClaim,
            "first" => Kind::First,
            "step" => Kind::Step,
            other => return Err(format!("`{other}` is not small_claim, first or step")),
        };
        Ok(Self { valid_from, kind, up_to: amount(up_to)?, each: amount(each)?, fee: needed(fee)? })
    }
}

fn amount(text: &str) -> Result<Option<Decimal>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = Money::parse(text, Currency::EUR).map_err(|error| error.to_string())?.amount;
    match read.is_zero() || read > LARGEST {
        true => Err(format!("`{text}` is no positive amount")),
        false => Ok(Some(read)),
    }
}

fn needed(text: &str) -> Result<Decimal, String> {
    amount(text)?.ok_or_else(|| "the fee is missing".to_owned())
}

/// A tariff whose rows are being read.
struct Draft {
    valid_from: Date,
    small_claim: Option<(Decimal, Decimal)>,
    first: Option<(Decimal, Decimal)>,
    steps: Vec<FeeStep>,
}

impl Draft {
    const fn new(valid_from: Date) -> Self {
        Self { valid_from, small_claim: None, first: None, steps: Vec::new() }
    }

    fn take(&mut self, row: &Row) -> Result<(), String> {
        match (row.kind, row.up_to, row.each) {
            (Kind::Step, up_to, Some(each)) => {
                let (first, _) = self.first.ok_or("a step before the first fee")?;
                let before = match self.steps.last() {
                    Some(FeeStep { up_to: None, .. }) => {
                        return Err("a step after the one without an end".to_owned());
                    }
                    Some(FeeStep { up_to: Some(before), .. }) => *before,
                    None => first,
                };
                if let Some(up_to) = up_to
                    && up_to <= before
                {
                    return Err(format!("{up_to} is not above {before}: overlap or wrong order"));
                }
                self.steps.push(FeeStep { up_to, each, fee: row.fee });
                Ok(())
            }
            (Kind::Step, _, None) => Err("a step needs `each`".to_owned()),
            (Kind::First, Some(up_to), None) if self.first.is_none() => {
                self.first = Some((up_to, row.fee));
                Ok(())
            }
            (Kind::SmallClaim, Some(up_to), None) if self.small_claim.is_none() => {
                self.small_claim = Some((up_to, row.fee));
                Ok(())
            }
            (_, Some(_), None) => Err("the row is there twice: overlap".to_owned()),
            _ => Err("such a row has `up_to` and no `each`".to_owned()),
        }
    }

    fn complete(&self) -> Result<Tariff, String> {
        let lacks = |what: &str| format!("the tariff of {} lacks {what}: gap", self.valid_from);
        let (small_claim_up_to, small_claim_fee) =
            self.small_claim.ok_or_else(|| lacks("its small_claim row"))?;
        let (first_up_to, first_fee) = self.first.ok_or_else(|| lacks("its first fee"))?;
        if self.steps.last().is_none_or(|step| step.up_to.is_some()) {
            return Err(lacks("a last step without an end"));
        }
        Ok(Tariff {
            valid_from: self.valid_from,
            small_claim_up_to,
            small_claim_fee,
            first_up_to,
            first_fee,
            steps: self.steps.clone(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_fees_come_out() {
        let all: serde_json::Value =
            serde_json::from_str(include_str!("../../testdata/law.json")).unwrap();
        let table = FeeTable::shipped().unwrap();
        let mut seen = 0;
        for (name, fees) in all["rvg_table"].as_object().unwrap() {
            let tariff = table.tariffs().iter().find(|tariff| tariff.name() == *name).unwrap();
            for (value, fee) in fees.as_object().unwrap() {
                let expected: Decimal = fee.as_str().unwrap().parse().unwrap();
                assert_eq!(tariff.fee(value.parse().unwrap()), expected, "{name} {value}");
                seen += 1;
            }
        }
        assert_eq!(seen, 24);
    }

    #[test]
    fn the_published_fees_of_high_values_come_out() {
        let table = FeeTable::shipped().unwrap();
        let [old, new] = table.tariffs() else { panic!("two tariffs") };
        for (tariff, value, fee) in [
            (old, "10000.01", "666.00"),
            (old, "25000", "874.00"),
            (old, "50000", "1279.00"),
            (old, "200000", "2219.00"),
            (old, "500000", "3539.00"),
            (old, "500000.01", "3704.00"),
            (new, "0.01", "51.50"),
            (new, "500.01", "93.00"),
            (new, "25000", "927.00"),
            (new, "30000", "1013.00"),
            (new, "50000", "1357.00"),
            (new, "65000", "1456.50"),
            (new, "200000", "2352.00"),
            (new, "380000", "3192.00"),
            (new, "550000", "3927.00"),
        ] {
            let fee: Decimal = fee.parse().unwrap();
            assert_eq!(tariff.fee(value.parse().unwrap()), fee, "{value}");
        }
    }

    #[test]
    fn a_file_with_a_fault_is_refused_with_its_line() {
        let with = |from: &str, to: &str| {
            let changed = SHIPPED.replacen(from, to, 1);
            assert_ne!(changed, SHIPPED, "{from}");
            FeeTable::parse(&changed).unwrap_err()
        };
        let line = |error: &FeeTableError| SHIPPED.lines().nth(error.line - 1).unwrap().to_owned();
        let late = with("2021-01-01,step,2000.00,500.00,39.00", "2021-01-01,step,2000.00,500.00,x");
        assert_eq!(line(&late), "2021-01-01,step,2000.00,500.00,39.00");
        assert!(late.reason.contains("not a decimal amount"), "{late}");
        for (from, to, reason) in [
            ("valid_from,kind", "from,kind", "the columns are"),
            ("2021-01-01,step,10000.00", "2020-01-01,step,10000.00", "wrong order"),
            ("2021-01-01,step,10000.00", "2021-01-01,step,1500.00", "overlap"),
            ("2021-01-01,step,,50000.00,165.00\n", "", "lacks a last step"),
            ("2021-01-01,first,500.00,,49.00\n", "", "a step before the first fee"),
            ("2025-06-01,small_claim,50.00,,31.50\n", "", "lacks its small_claim row"),
            ("2025-06-01,first", "2025-06-01,second", "not small_claim, first or step"),
            ("2025-06-01,first,500.00,,51.50", "2025-6-1,first,500.00,,51.50", "no day"),
            ("500.00,,51.50", "500.00,,0.00", "no positive amount"),
            ("500.00,,51.50", "500.00,51.50", "4 columns"),
            ("2025-06-01,step,2000.00,500.00", "2025-06-01,step,2000.00,", "needs `each`"),
        ] {
            let error = with(from, to);
            assert!(error.to_string().contains(reason), "{to}: {error}");
        }
        assert!(FeeTable::parse("").is_err());
        let shipped = FeeTable::shipped().unwrap();
        assert_eq!(FeeTable::parse(&shipped.to_csv()), Ok(shipped));
        assert!(FeeTable::parse(HEADER).is_err());
    }
}
