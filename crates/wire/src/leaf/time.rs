//! Dates and times.

use std::borrow::Cow;

use jiff::{Timestamp, civil::Date};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Check, no, schema};
use crate::member::{Leaf, Scalar};

/// Years in which dates and times of events may lie.
pub(crate) const YEARS: std::ops::RangeInclusive<i16> = 1970..=2100;

/// The numbers of `YYYY-MM-DD`, which need not be a date.
fn civil(text: &str) -> Option<(i16, i8, i8)> {
    let digit = |b: &u8| b.is_ascii_digit().then(|| (b - b'0').cast_signed());
    let [a, b, c, d, b'-', e, f, b'-', g, h] = text.as_bytes() else { return None };
    let two = |tens: &u8, ones: &u8| Some(digit(tens)? * 10 + digit(ones)?);
    let year = i16::from(two(a, b)?) * 100 + i16::from(two(c, d)?);
    Some((year, two(e, f)?, two(g, h)?))
}

/// A civil date, `YYYY-MM-DD`, in the creditor's time zone.
#[derive(Clone, Copy)]
pub(crate) struct Day(pub(crate) Date);

impl Leaf<'_> for Day {
    fn check(value: Scalar<'_>) -> Check<Self> {
        const RULE: &str = "must be a date, written as \"2026-03-29\"";
        let Scalar::Text(text) = value else { return no(RULE) };
        let (year, month, day) = civil(&text).ok_or(RULE)?;
        let date = Date::new(year, month, day)
            .or_else(|_| no("is a date that the calendar does not have"))?;
        if !YEARS.contains(&year) {
            return no("is a date outside the years 1970 to 2100");
        }
        Ok(Self(date))
    }
}

schema!(Day, "Date", {
    "type": "string",
    "format": "date",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
});

/// A day of birth: a date of the past two centuries, kept as text.
pub(crate) struct Birth(pub(crate) String);

impl Leaf<'_> for Birth {
    fn check(value: Scalar<'_>) -> Check<Self> {
        const RULE: &str = "must be a date from 1850 to 2100, written as \"1980-03-29\"";
        let Scalar::Text(text) = value else { return no(RULE) };
        let years = 1850..=*YEARS.end();
        let (year, month, day) = civil(&text).ok_or(RULE)?;
        let date = Date::new(year, month, day).or_else(|_| no(RULE))?;
        if years.contains(&date.year()) { Ok(Self(text.into_owned())) } else { no(RULE) }
    }
}

schema!(Birth, "BirthDate", { "type": "string", "format": "date" });

/// A moment, RFC 3339 with an offset.
pub(crate) struct Moment(pub(crate) Timestamp);

impl Leaf<'_> for Moment {
    fn check(value: Scalar<'_>) -> Check<Self> {
        const RULE: &str = "must be a time by RFC 3339, such as \"2026-03-29T09:00:00+02:00\"";
        let Scalar::Text(text) = value else { return no(RULE) };
        let bytes = text.as_bytes();
        let shaped = bytes.len() >= 19
            && bytes.len() <= 40
            && [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')]
                .iter()
                .all(|(at, mark)| bytes.get(*at) == Some(mark))
            && matches!(bytes.get(10), Some(b'T' | b't'))
            && !bytes.contains(&b'[');
        if !shaped {
            return no(RULE);
        }
        let has_offset = bytes[19..].iter().any(|b| matches!(b, b'Z' | b'z' | b'+' | b'-'));
        if !has_offset {
            return no("has no offset from UTC: end it with Z or, say, +02:00");
        }
        let at: Timestamp =
            text.parse().or_else(|_| no("is a time that the calendar does not have"))?;
        // Seconds of 1970-01-01 and 2101-01-01, UTC.
        if !(0..4_133_980_800).contains(&at.as_second()) {
            return no("is a time outside the years 1970 to 2100");
        }
        Ok(Self(at))
    }
}

schema!(Moment, "Time", {
    "type": "string",
    "format": "date-time",
    "examples": ["2026-03-29T09:00:00+02:00"],
});
