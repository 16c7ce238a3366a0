//! Default interest (Verzugszinsen), § 288 BGB, to the cent.
//!
//! An interest period is cut at each 1 January and 1 July, where base rates and year lengths
//! change. Nothing is rounded before the end: [`Exact`] holds the sum as fractions over the three
//! year lengths, and only [`Exact::rounded`] gives cents, half up. No interest is ever computed on
//! interest or costs (§ 289 BGB): principal alone is multiplied by anything here.

use std::ops::{Add, AddAssign, Sub};

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::rates::{BaseRates, HalfYear, MOST_DECIMALS, RateUnknown};
use crate::{
    fact::{DebtorKind, Supply},
    policy::Law,
};

/// How days become a share of a year. Not in statute: a setting [M].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DayCount {
    /// Days over the year's own length, 365 or 366: never above the annual rate. The default.
    #[default]
    ActAct,
    /// Days over 365, also in leap years.
    Act365,
    /// Months of 30 days over 360 (German bankers' method).
    #[serde(rename = "d30_360")]
    D30360,
}

impl DayCount {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ActAct, Self::Act365, Self::D30360];

    /// The word used in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ActAct => "act_act",
            Self::Act365 => "act_365",
            Self::D30360 => "d30_360",
        }
    }

    /// Days from `from` to `to`, both counted, and the length of the year that they are a share
    /// of. Both days lie in one year.
    fn count(self, from: Date, to: Date) -> (i32, YearDays) {
        match self {
            Self::ActAct if from.in_leap_year() => (days(from, to), YearDays::D366),
            Self::ActAct | Self::Act365 => (days(from, to), YearDays::D365),
            Self::D30360 => {
                let number = |year: i16, month: i8, day: i8| {
                    i32::from(year) * 360 + i32::from(month) * 30 + i32::from(day.min(30))
                };
                let begins = number(from.year(), from.month(), from.day());
                // The end counts, so the day after it is where the counting stops.
                let after = to.tomorrow().unwrap_or(to);
                (number(after.year(), after.month(), after.day()) - begins, YearDays::D360)
            }
        }
    }
}

/// Days from `from` to `to`, both counted.
fn days(from: Date, to: Date) -> i32 {
    (to - from).get_days() + 1
}

/// Length of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YearDays {
    /// 30/360.
    D360,
    /// A common year.
    D365,
    /// A leap year.
    D366,
}

impl YearDays {
    /// As a number.
    pub const fn number(self) -> i32 {
        match self {
            Self::D360 => 360,
            Self::D365 => 365,
            Self::D366 => 366,
        }
    }
}

/// Where a rate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Base rate plus so many percentage points; a negative base rate lowers the result.
    OverBase(Decimal),
    /// A fixed percentage a year.
    Fixed(Decimal),
    /// A fixed percentage a year, but never more than the base rate plus so many points: what a
    /// creditor asks below the law's rate.
    AtMost(Decimal, Decimal),
}

impl Rate {
    /// The rate at a base rate, percent a year.
    fn at(self, base: Decimal) -> Decimal {
        match self {
            Self::OverBase(points) => base + points,
            Self::Fixed(percent) => percent,
            Self::AtMost(percent, points) => percent.min(base + points),
        }
    }

    /// Whether it moves with the base rate.
    pub const fn needs_base(self) -> bool {
        !matches!(self, Self::Fixed(_))
    }

    fn is_exact(self) -> Result<(), InterestError> {
        let (told, points) = match self {
            Self::OverBase(told) | Self::Fixed(told) => (told, Decimal::ZERO),
            Self::AtMost(told, points) => (told, points),
        };
        for one in [told, points] {
            let within = |one: i128| (-100_000_000..=1_000_000_000).contains(&one);
            if !millionths(one).is_some_and(within) {
                return Err(InterestError::NoRate(one));
            }
        }
        Ok(())
    }
}

/// First day from which § 288 (2) BGB gives nine points, Art. 229 § 34 EGBGB.
const NINE_POINTS_FROM: Date = jiff::civil::date(2014, 7, 29);
/// For continuing obligations, for what is performed after 30 June 2016 (same article).
const CONTINUING_FROM: Date = jiff::civil::date(2016, 7, 1);

/// What the statutory rate of a claim depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obligation {
    /// Consumer or business.
    pub debtor: DebtorKind,
    /// § 288 (2) BGB is for payment for goods or services alone (Entgeltforderung).
    pub supply: Supply,
    /// Day on which the obligation arose, if known.
    pub arose_on: Option<Date>,
    /// A continuing obligation, and when this part of it was performed.
    pub performed_on: Option<Date>,
}

/// The statutory rate of default interest; `None` where no law of ours applies.
///
/// - Germany [V]: base rate + 5 points (§ 288 (1) BGB); + 9 points where no consumer takes part and
///   the claim is for payment for goods or services (§ 288 (2) BGB); + 8 for obligations from before
///   29 July 2014 (Art. 229 § 34 EGBGB), of continuing ones for what was performed by 30 June 2016.
/// - Austria: base rate + 9.2 points between businesses (§ 456 UGB) [V], else 4 % (§§ 1333, 1000
///   ABGB) [V].
/// - Switzerland [V]: 5 % (OR 104 (1)).
pub fn statutory_rate(law: Law, obligation: Obligation) -> Option<Rate> {
    let commercial =
        obligation.debtor == DebtorKind::Business && obligation.supply == Supply::GoodsServices;
    Some(match law {
        Law::None => return None,
        Law::De if !commercial => Rate::OverBase(Decimal::from(5)),
        Law::De => {
            let old = obligation.arose_on.is_some_and(|day| day < NINE_POINTS_FROM)
                && obligation.performed_on.is_none_or(|day| day < CONTINUING_FROM);
            Rate::OverBase(Decimal::from(if old { 8 } else { 9 }))
        }
        Law::At if commercial => Rate::OverBase(Decimal::new(92, 1)),
        Law::At => Rate::Fixed(Decimal::from(4)),
        Law::Ch => Rate::Fixed(Decimal::from(5)),
    })
}

/// A stretch of days with one rate within one half-year; both ends count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Days as counted: of 30 days a month with [`DayCount::D30360`].
    pub days: i32,
    /// Length of the year that they are a share of.
    pub year: YearDays,
    /// The base rate in it, where it matters.
    pub base: Option<Decimal>,
    /// Percent a year.
    pub percent: Decimal,
}

/// Why interest is not computed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InterestError {
    /// More than the empty period of one day.
    #[error("interest ends on {to}, more than a day before it begins on {from}")]
    EndsBeforeItBegins {
        /// First day.
        from: Date,
        /// Last day.
        to: Date,
    },
    /// No base rate for some day of the period.
    #[error(transparent)]
    RateUnknown(#[from] RateUnknown),
    /// Rates are bounded, so that sums stay exact.
    #[error("{0} is no rate: percent a year, from -100 to 1000, with six decimals at most")]
    NoRate(Decimal),
    /// Amounts are bounded, so that sums stay exact.
    #[error(
        "{0} is no principal: it lies between 0 and 1 000 000 000 000, with four decimals at most"
    )]
    NoPrincipal(Decimal),
}

/// Cuts `from` to `to`, both counted, at each 1 January and 1 July and hands each segment on, in
/// order. A period that ends one day before it begins is empty.
///
/// # Errors
/// A period that ends earlier than that, a rate that cannot be exact, and the first day for which
/// no base rate is known; then nothing was handed on.
pub fn each_segment(
    rate: Rate,
    base_rates: &BaseRates,
    count: DayCount,
    from: Date,
    to: Date,
    mut each: impl FnMut(Segment),
) -> Result<(), InterestError> {
    if days(from, to) < 0 {
        return Err(InterestError::EndsBeforeItBegins { from, to });
    }
    rate.is_exact()?;
    if from > to {
        return Ok(());
    }
    if rate.needs_base() {
        base_rates.percent_on(from)?;
        base_rates.percent_on(to.min(base_rates.first_missing()))?;
    }
    let mut begins = from;
    loop {
        let half_year = HalfYear::of(begins);
        let ends = half_year.last_day().min(to);
        let base = match rate.needs_base() {
            true => Some(base_rates.percent_on(begins)?),
            false => None,
        };
        let (counted, year) = count.count(begins, ends);
        let percent = rate.at(base.unwrap_or_default());
        each(Segment { from: begins, to: ends, days: counted, year, base, percent });
        if ends == to {
            return Ok(());
        }
        begins = half_year.next().first_day();
    }
}

/// Percent-days over each length of year: what one unit of principal earns, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Factor {
    /// In millionths of a percent-day, over 360, 365 and 366 days.
    over: [i128; 3],
}

impl Factor {
    /// What a segment adds.
    pub fn of(segment: &Segment) -> Self {
        let mut factor = Self::default();
        let percent = millionths(segment.percent).unwrap_or(0);
        factor.over[segment.year as usize] = percent * i128::from(segment.days);
        factor
    }

    /// Exact interest on `principal`, which has at most four decimals (all currencies have).
    pub fn on(self, principal: Decimal) -> Exact {
        let units = scaled(principal, PRINCIPAL_DECIMALS).unwrap_or(0);
        Exact { over: self.over.map(|one| one * units) }
    }
}

impl AddAssign for Factor {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.over.iter_mut().zip(other.over) {
            *mine += theirs;
        }
    }
}

const PRINCIPAL_DECIMALS: u32 = 4;
/// Currency units × percent × days, in units of ten to the minus ten.
const EXACT_DECIMALS: u32 = PRINCIPAL_DECIMALS + MOST_DECIMALS;
/// Least common multiple of 36 000, 36 500 and 36 600 (a percent is a hundredth), and what each
/// goes into it.
const COMMON: i128 = 160_308_000;
const SHARES: [i128; 3] = [COMMON / 36_000, COMMON / 36_500, COMMON / 36_600];

/// An exact sum of interest. Sums of it are exact, whatever is added in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exact {
    over: [i128; 3],
}

impl Exact {
    /// In the currency's units with `decimals` places (at most six), half up: the one place where
    /// interest is rounded.
    pub fn rounded(self, decimals: u32) -> Decimal {
        let decimals = decimals.min(6);
        let numerator: i128 = self.over.iter().zip(SHARES).map(|(one, share)| one * share).sum();
        let denominator = COMMON * 10_i128.pow(EXACT_DECIMALS - decimals);
        // Half away from zero; sums of interest are hardly ever below zero.
        let half = if numerator < 0 { -denominator } else { denominator };
        let units = (2 * numerator + half) / (2 * denominator);
        Decimal::try_from_i128_with_scale(units, decimals).unwrap_or(Decimal::MAX)
    }
}

impl Add for Exact {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        for (mine, theirs) in self.over.iter_mut().zip(other.over) {
            *mine += theirs;
        }
        self
    }
}

impl Sub for Exact {
    type Output = Self;
    fn sub(mut self, other: Self) -> Self {
        for (mine, theirs) in self.over.iter_mut().zip(other.over) {
            *mine -= theirs;
        }
        self
    }
}

/// Exact interest on `principal` from `from` to `to`, both counted.
///
/// # Errors
/// As [`each_segment`], and a principal that cannot be exact.
pub fn interest(
    principal: Decimal,
    rate: Rate,
    base_rates: &BaseRates,
    count: DayCount,
    (from, to): (Date, Date),
) -> Result<Exact, InterestError> {
    let fits = scaled(principal, PRINCIPAL_DECIMALS).is_some();
    if !fits || principal.is_sign_negative() || principal > crate::money::LARGEST {
        return Err(InterestError::NoPrincipal(principal));
    }
    let mut factor = Factor::default();
    each_segment(rate, base_rates, count, from, to, |segment| factor += Factor::of(&segment))?;
    Ok(factor.on(principal))
}

fn millionths(percent: Decimal) -> Option<i128> {
    scaled(percent, MOST_DECIMALS)
}

/// `value` in units of ten to the minus `decimals`; `None` where that is not exact.
fn scaled(value: Decimal, decimals: u32) -> Option<i128> {
    match value.scale() {
        scale if scale <= decimals => Some(value.mantissa() * 10_i128.pow(decimals - scale)),
        _ => {
            let value = value.normalize();
            let exact = value.scale() <= decimals;
            exact.then(|| value.mantissa() * 10_i128.pow(decimals - value.scale()))
        }
    }
}

/// Splits an exact sum over parts so that the parts' cents add up to the sum's: each part is the
/// difference of two rounded running sums.
pub fn in_cents(parts: impl IntoIterator<Item = Exact>, decimals: u32) -> Vec<Decimal> {
    let (mut running, mut told) = (Exact::default(), Decimal::ZERO);
    let cents = parts.into_iter().map(|part| {
        running = running + part;
        let sum = running.rounded(decimals);
        let cents = sum - told;
        told = sum;
        cents
    });
    cents.collect()
}
