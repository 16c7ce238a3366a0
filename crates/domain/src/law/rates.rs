//! Base rates (Basiszinssatz, § 247 BGB; Austria: § 1333 (2) ABGB, § 456 UGB): one figure a
//! half-year, published by the central banks.
//!
//! A table is data with a first and a last day. Beyond the last published half-year there is no
//! guess: the answer is an error that names it.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Germany's table as shipped.
const GERMANY: &str = include_str!("../../data/base-rates-de.csv");
/// Austria's table as shipped.
const AUSTRIA: &str = include_str!("../../data/base-rates-at.csv");

/// The first line that is no comment.
const HEADER: &str = "valid_from,percent";

/// Rates have at most so many decimals, so that sums over them stay exact.
pub const MOST_DECIMALS: u32 = 6;

/// From how many days before its end a table is warned about.
pub const WARN_DAYS: i32 = 30;

/// Whose base rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateTable {
    /// Deutsche Bundesbank.
    Germany,
    /// Oesterreichische Nationalbank.
    Austria,
}

impl RateTable {
    /// Both tables.
    pub const ALL: [Self; 2] = [Self::Germany, Self::Austria];

    /// The name of its file.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Germany => "base-rates-de.csv",
            Self::Austria => "base-rates-at.csv",
        }
    }

    /// The table as this release ships it.
    pub fn shipped(self) -> Result<BaseRates, RatesError> {
        BaseRates::parse(match self {
            Self::Germany => GERMANY,
            Self::Austria => AUSTRIA,
        })
    }
}

/// Base rates of consecutive half-years, without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(Date, Decimal)>", from = "Vec<(Date, Decimal)>")]
pub struct BaseRates {
    first: HalfYear,
    percent: Vec<Decimal>,
}

/// Why a file is no table of base rates, with its line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct RatesError {
    /// From 1; the line after the last where something is missing at the end.
    pub line: usize,
    /// What is wrong there.
    pub problem: RatesProblem,
}

/// What is wrong with a line of a table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the messages say it
pub enum RatesProblem {
    #[error("the first line that is no comment must be `{HEADER}`")]
    NoHeader,
    #[error("a row is a day and a percentage, such as 2026-07-01,1.52")]
    NoRow,
    #[error("`{0}` is no day, such as 2026-07-01")]
    NotADay(String),
    #[error("base rates change on 1 January and 1 July, not on {0}")]
    NotAHalfYear(Date),
    #[error("`{0}` is no percentage with a point and at most six decimals, such as 1.52 or -0.88")]
    NotAPercentage(String),
    #[error("{0} stands twice")]
    Twice(Date),
    #[error("{found} stands after {before}: rows go from old to new")]
    OutOfOrder { before: Date, found: Date },
    #[error("the half-year {missing} is missing between {before} and {found}")]
    Gap { before: Date, missing: Date, found: Date },
    #[error("the table has no rows")]
    Empty,
}

/// No base rate is known for a day.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RateUnknown {
    /// Before the table begins.
    #[error("no base rate is known before {first}; asked for {day}")]
    Before {
        /// The day asked for.
        day: Date,
        /// First day of the table.
        first: Date,
    },
    /// After it ends.
    #[error(
        "the base rate for {day} is not published yet: the table ends on {last}. Once it is, add \
         it with `kulanz law rates update`"
    )]
    NotPublished {
        /// First day of the first half-year asked for that has none.
        day: Date,
        /// Last day of the table.
        last: Date,
    },
}

/// A half-year: 1 January to 30 June, or 1 July to 31 December.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HalfYear(i32);

impl HalfYear {
    /// The one that `day` lies in.
    pub fn of(day: Date) -> Self {
        Self(i32::from(day.year()) * 2 + i32::from(day.month() > 6))
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        let year = i16::try_from(self.0.div_euclid(2)).unwrap_or(i16::MAX);
        Date::new(year, if self.0.rem_euclid(2) == 0 { 1 } else { 7 }, 1).unwrap_or(Date::MAX)
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        self.next().first_day().yesterday().unwrap_or(Date::MAX)
    }

    /// The one after it.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl BaseRates {
    /// Reads a table: lines that begin with `#` and empty ones are left out, then the header
    /// `valid_from,percent`, then one row a half-year from old to new.
    pub fn parse(text: &str) -> Result<Self, RatesError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        let after_last = text.lines().count() + 1;
        match lines.next() {
            Some((_, line)) if line.trim() == HEADER => {}
            Some((line, _)) => return Err(RatesError { line, problem: RatesProblem::NoHeader }),
            None => return Err(RatesError { line: 1, problem: RatesProblem::NoHeader }),
        }
        let mut table: Option<Self> = None;
        for (line, row) in lines {
            let (half_year, percent) =
                parse_row(row.trim()).map_err(|problem| RatesError { line, problem })?;
            match &mut table {
                None => table = Some(Self { first: half_year, percent: vec![percent] }),
                Some(table) => table
                    .append(half_year, percent)
                    .map_err(|problem| RatesError { line, problem })?,
            }
        }
        table.ok_or(RatesError { line: after_last, problem: RatesProblem::Empty })
    }

    fn append(&mut self, half_year: HalfYear, percent: Decimal) -> Result<(), RatesProblem> {
        let expected = self.after_last();
        let (before, found) = (self.last_row(), half_year.first_day());
        if half_year > expected {
            return Err(RatesProblem::Gap { before, missing: expected.first_day(), found });
        }
        if half_year < expected {
            let rows = (found >= self.first_day()).then_some(found);
            return Err(match rows {
                Some(twice) => RatesProblem::Twice(twice),
                None => RatesProblem::OutOfOrder { before, found },
            });
        }
        self.percent.push(percent);
        Ok(())
    }

    fn after_last(&self) -> HalfYear {
        HalfYear(self.first.0 + i32::try_from(self.percent.len()).unwrap_or(i32::MAX))
    }

    fn last_row(&self) -> Date {
        HalfYear(self.after_last().0 - 1).first_day()
    }

    /// First day for which a rate is known.
    pub fn first_day(&self) -> Date {
        self.first.first_day()
    }

    /// First day for which none is published yet.
    pub fn first_missing(&self) -> Date {
        self.after_last().first_day()
    }

    /// Last day for which a rate is published.
    pub fn last_day(&self) -> Date {
        self.after_last().first_day().yesterday().unwrap_or(Date::MAX)
    }

    /// The rate on `day`, percent a year; may be negative.
    pub fn percent_on(&self, day: Date) -> Result<Decimal, RateUnknown> {
        let at = HalfYear::of(day).0 - self.first.0;
        let known = usize::try_from(at).ok().and_then(|at| self.percent.get(at));
        known.copied().ok_or_else(|| match at < 0 {
            true => RateUnknown::Before { day, first: self.first_day() },
            false => {
                let day = HalfYear::of(day).first_day();
                RateUnknown::NotPublished { day, last: self.last_day() }
            }
        })
    }

    /// First day of each half-year and its rate, from old to new.
    pub fn rows(&self) -> impl Iterator<Item = (Date, Decimal)> + '_ {
        (self.first.0..)
            .zip(&self.percent)
            .map(|(at, percent)| (HalfYear(at).first_day(), *percent))
    }

    /// Whether `today` lies so near to the last day, or after it, that somebody should look for
    /// the next figure.
    pub fn ends_soon(&self, today: Date) -> bool {
        (self.last_day() - today).get_days() <= WARN_DAYS
    }
}

/// An empty list becomes a table that knows no day.
impl From<Vec<(Date, Decimal)>> for BaseRates {
    fn from(rows: Vec<(Date, Decimal)>) -> Self {
        let first = HalfYear::of(rows.first().map_or(Date::MAX, |(day, _)| *day));
        Self { first, percent: rows.into_iter().map(|(_, percent)| percent).collect() }
    }
}

impl From<BaseRates> for Vec<(Date, Decimal)> {
    fn from(rates: BaseRates) -> Self {
        rates.rows().collect()
    }
}

fn parse_row(row: &str) -> Result<(HalfYear, Decimal), RatesProblem> {
    let (day, percent) = row.split_once(',').ok_or(RatesProblem::NoRow)?;
    let valid_from: Date =
        day.trim().parse().map_err(|_| RatesProblem::NotADay(day.trim().to_owned()))?;
    let half_year = HalfYear::of(valid_from);
    if half_year.first_day() != valid_from {
        return Err(RatesProblem::NotAHalfYear(valid_from));
    }
    Ok((half_year, parse_percent(percent.trim())?))
}

fn parse_percent(text: &str) -> Result<Decimal, RatesProblem> {
    let wrong = || RatesProblem::NotAPercentage(text.chars().take(40).collect());
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit())
        || !digits.ends_with(|c: char| c.is_ascii_digit())
        || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return Err(wrong());
    }
    let percent = Decimal::from_str_exact(text).map_err(|_| wrong())?;
    let believable = percent.scale() <= MOST_DECIMALS && percent.abs() < Decimal::ONE_HUNDRED;
    believable.then_some(percent).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn the_shipped_tables_have_no_gap() {
        let germany = RateTable::Germany.shipped().unwrap();
        assert_eq!((germany.first_day(), germany.rows().count()), (day("2002-01-01"), 50));
        assert_eq!(germany.last_day(), day("2026-12-31"));
        let austria = RateTable::Austria.shipped().unwrap();
        assert_eq!(austria.first_day(), day("2016-07-01"));
        assert_eq!(austria.last_day(), day("2026-12-31"));
    }

    #[test]
    fn a_rate_holds_for_its_half_year() {
        let rates = RateTable::Germany.shipped().unwrap();
        let percent = |text| rates.percent_on(day(text)).map(|rate| rate.to_string());
        assert_eq!(percent("2025-06-30"), Ok("2.27".into()));
        assert_eq!(percent("2025-07-01"), Ok("1.27".into()));
        assert_eq!(percent("2026-12-31"), Ok("1.52".into()));
        let unpublished = rates.percent_on(day("2027-03-04")).unwrap_err();
        assert!(unpublished.to_string().contains("2027-01-01 is not published yet"));
        let before = rates.percent_on(day("2001-12-31")).unwrap_err();
        assert!(before.to_string().contains("before 2002-01-01"));
        assert!(!rates.ends_soon(day("2026-11-30")));
        assert!(rates.ends_soon(day("2026-12-01")));
    }

    #[test]
    fn a_table_that_is_not_whole_is_refused_with_its_line() {
        let wrong = |rows: &str| {
            let text = format!("# a comment\n\nvalid_from,percent\n{rows}");
            BaseRates::parse(&text).unwrap_err().to_string()
        };
        let two = "2025-01-01,2.27\n2025-07-01,1.27\n";
        assert!(
            wrong(&format!("{two}2026-07-01,1.52\n"))
                .starts_with("line 6: the half-year 2026-01-01")
        );
        assert_eq!(wrong(&format!("{two}2025-07-01,1.27")), "line 6: 2025-07-01 stands twice");
        assert!(wrong(&format!("{two}2024-07-01,3.37")).contains("rows go from old to new"));
        assert!(wrong("2025-02-01,2.27").starts_with("line 4: base rates change on 1 January"));
        assert!(wrong("2025-01-01;2.27").contains("a row is a day and a percentage"));
        assert!(wrong("01.01.2025,2.27").contains("`01.01.2025` is no day"));
        for percent in ["2,27", "", "2.27 %", "1e1", "--1", "1.", ".5", "100", "0.1234567", "1.2.3"]
        {
            let message = wrong(&format!("2025-01-01,{percent}"));
            assert!(message.contains("is no percentage"), "{message}");
        }
        assert!(wrong("").starts_with("line 4: the table has no rows"));
        assert!(BaseRates::parse("2025-01-01,2.27").is_err());
        assert!(BaseRates::parse("").is_err());
    }
}
