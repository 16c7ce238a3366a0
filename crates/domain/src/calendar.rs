//! Days: public holidays, business days, § 193 BGB, and spans such as `10d`, `2bd`, `3w`.
//!
//! Deadlines are civil dates; [`day_in`] is the one function that turns an instant into a day.
//! Holidays are exact for 2000 to 2040. Holidays that only some communes keep (15 August and the
//! Augsburg peace feast in Bavaria, Corpus Christi in parts of Saxony and Thuringia) are not in
//! the list: a state is all we know of an address.

mod holidays;
mod region;
mod span;

use jiff::{
    Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};

pub use self::{
    holidays::holiday,
    region::{Region, RegionError, RegionSet},
    span::{Span, SpanError},
};

/// The day that `zone`'s calendar shows at `instant`.
pub fn day_in(instant: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(instant).date()
}

/// Monday to Friday and no holiday of `region` (Werktag without Saturday, as § 193 BGB counts).
pub fn is_business_day(date: Date, region: Region) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
        && holiday(date, region).is_none()
}

/// The `n`-th business day after `date`, or before it where `n` is negative; `date` itself where
/// `n` is 0. Stops at the last (first) day that a date can be.
pub fn add_business_days(date: Date, n: i32, region: Region) -> Date {
    let mut day = date;
    let mut left = n.unsigned_abs();
    while left > 0 {
        let Ok(next) = (if n > 0 { day.tomorrow() } else { day.yesterday() }) else {
            return day;
        };
        day = next;
        if is_business_day(day, region) {
            left -= 1;
        }
    }
    day
}

/// § 193 BGB: a deadline that ends on a Saturday, a Sunday or a holiday of any of `regions` (the
/// debtor's and the creditor's state) ends on the next day that is none. It holds for the start
/// of default as well (BGH III ZR 159/06).
pub fn roll_193(date: Date, regions: &[Region]) -> Date {
    let mut day = date;
    while matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
        || regions.iter().any(|&region| holiday(day, region).is_some())
    {
        let Ok(next) = day.tomorrow() else {
            return day;
        };
        day = next;
    }
    day
}

#[cfg(test)]
mod tests;
