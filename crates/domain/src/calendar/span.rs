//! Spans of days as policies write them.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, civil::Date};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{Region, add_business_days};

/// Why a text is not a span.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a span: write days as 10d, business days as 2bd, weeks as 3w (up to 9999)")]
pub struct SpanError(pub String);

/// A number of days, business days or weeks. Written `10d`, `2bd`, `3w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// Calendar days, `10d`.
    Days(i32),
    /// Days from Monday to Friday that are no holiday, `2bd`.
    BusinessDays(i32),
    /// Weeks of seven calendar days, `3w`.
    Weeks(i32),
}

impl Span {
    /// The day that lies this span after `date`. `region` counts for business days alone.
    /// Ends at the last day that a date can be.
    pub fn after(self, date: Date, region: Region) -> Date {
        match self {
            Self::Days(n) => plus(date, i64::from(n)),
            Self::BusinessDays(n) => add_business_days(date, n, region),
            Self::Weeks(n) => plus(date, i64::from(n) * 7),
        }
    }

    /// The day that lies this span before `date`: the `- 3d` of `due - 3d`.
    pub fn before(self, date: Date, region: Region) -> Date {
        match self {
            Self::Days(n) => plus(date, -i64::from(n)),
            Self::BusinessDays(n) => add_business_days(date, n.saturating_neg(), region),
            Self::Weeks(n) => plus(date, -i64::from(n) * 7),
        }
    }

    /// A part of the span, from nothing to all of it, by a number: equal numbers give equal parts.
    pub fn share(self, number: u64) -> Self {
        let part = |n: i32| {
            let parts = u64::from(n.unsigned_abs()) + 1;
            i32::try_from(number % parts).unwrap_or(0)
        };
        match self {
            Self::Days(n) => Self::Days(part(n)),
            Self::BusinessDays(n) => Self::BusinessDays(part(n)),
            Self::Weeks(n) => Self::Days(part(n.saturating_mul(7))),
        }
    }

    /// The span at another pace, rounded up to whole days: `3d` at 1.5 is `5d`, `1w` is `11d`,
    /// `2bd` is `3bd`. `pace` is positive; 1 changes nothing.
    pub fn paced(self, pace: Decimal) -> Self {
        if pace == Decimal::ONE {
            return self;
        }
        let scaled = |n: i64| {
            let exact = pace.checked_mul(Decimal::from(n)).map(|days| days.ceil());
            exact.and_then(|days| days.to_i32()).unwrap_or(i32::MAX)
        };
        match self {
            Self::Days(n) => Self::Days(scaled(i64::from(n))),
            Self::BusinessDays(n) => Self::BusinessDays(scaled(i64::from(n))),
            Self::Weeks(n) => Self::Days(scaled(i64::from(n) * 7)),
        }
    }
}

fn plus(date: Date, days: i64) -> Date {
    date.saturating_add(SignedDuration::from_hours(days * 24))
}

impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, SpanError> {
        let split = text.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, unit) = text.split_at(split);
        let wrong = || SpanError(text.chars().take(80).collect());
        if digits.len() > 4 {
            return Err(wrong());
        }
        let n = digits.parse().map_err(|_| wrong())?;
        match unit {
            "d" => Ok(Self::Days(n)),
            "bd" => Ok(Self::BusinessDays(n)),
            "w" => Ok(Self::Weeks(n)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(n) => write!(f, "{n}d"),
            Self::BusinessDays(n) => write!(f, "{n}bd"),
            Self::Weeks(n) => write!(f, "{n}w"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a span such as 10d, 2bd or 3w")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}
