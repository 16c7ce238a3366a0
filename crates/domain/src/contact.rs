//! Contact windows and caps: when a debtor may be contacted, and how often.
//!
//! A window is civil hours by weekday, in the debtor's zone, without Sundays and holidays by
//! default. Windows only ever narrow: policy ∩ persona ∩ debtor's wish ∩ law. Times are exact
//! across changes of the clock: an hour that does not exist is skipped, one that comes twice
//! counts twice. Whether a person is asked for consent is not decided here.

mod cap;
mod hours;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Weekday},
    tz::{Offset, TimeZone},
};

pub use self::{
    cap::ContactCap,
    hours::{Hours, HoursError},
};
use crate::calendar::{Region, RegionSet, holiday};

/// How far ahead an opening is looked for.
const HORIZON_DAYS: i32 = 60;

/// No zone goes forth and back between two offsets within this many days (a test looks through
/// the whole zone database), so equal offsets at both ends mean that nothing changed between.
const STEADY: SignedDuration = SignedDuration::from_hours(5 * 24);

/// When contact is allowed: hours for each weekday, none on the holidays of its regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContactWindow {
    /// From Monday to Sunday.
    days: [Option<Hours>; 7],
    closed_on_holidays_of: RegionSet,
}

/// A named set of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The hours.
    pub window: ContactWindow,
    /// How often, over all channels.
    pub cap: ContactCap,
}

/// The limits that go by `name`:
///
/// | name | hours | at most | source |
/// |---|---|---|---|
/// | `de` | Mon-Fri 8-20, Sat 9-18 | 3 in 7 days | our reading of UWG §§ 4a, 7 |
/// | `at` | Mon-Fri 8-20, Sat 9-18 | 3 in 7 days | no statute: decency, as in Germany |
/// | `ch` | Mon-Fri 8-20, Sat 9-18 | 3 in 7 days | no statute: decency, as in Germany |
/// | `uk-conc` | Mon-Sat 8-21 | 7 in 7 days | FCA CONC 7.9 (reasonable times, no pressure) |
/// | `us-reg-f` | every day 8-21 | 7 in 7 days | 12 CFR 1006.6 (b), 1006.14 (b) |
/// | `none` | Mon-Sat 8-20 | 3 in 7 days | no law: our own decency default |
///
/// Austria's § 174 TKG 2021 (before: § 107 TKG 2003) and Switzerland's Art. 3 (1) lit. o UWG are
/// about advertising and do not reach a reminder of one's own claim; what is left is that nobody
/// may be pressed (§ 1a UWG there, Art. 28 ZGB here). CONC names no hours and no number: those of
/// `uk-conc` are the customary ones. Regulation F lets the debtor be contacted from 8:00 to 21:00
/// at their place and counts calls, and a call that was answered closes the week; here every
/// contact counts, and nobody calls. None of them has holidays until [`ContactWindow::without_holidays_of`] adds them.
pub fn preset(name: &str) -> Option<Preset> {
    let week = ContactWindow::new;
    let (window, times) = match name {
        "de" | "at" | "ch" => (ContactWindow::law_default_de(), 3),
        "uk-conc" => (week(Some(Hours::EIGHT_TO_NINE_PM), Some(Hours::EIGHT_TO_NINE_PM), None), 7),
        "us-reg-f" => {
            let daily = Some(Hours::EIGHT_TO_NINE_PM);
            (week(daily, daily, daily), 7)
        }
        "none" => (ContactWindow::decency_default(), 3),
        _ => return None,
    };
    Some(Preset { window, cap: ContactCap::in_a_week(times) })
}

impl ContactWindow {
    /// The same hours from Monday to Friday, and those of Saturday and Sunday; no holidays yet.
    pub const fn new(
        workdays: Option<Hours>,
        saturday: Option<Hours>,
        sunday: Option<Hours>,
    ) -> Self {
        let days = [workdays, workdays, workdays, workdays, workdays, saturday, sunday];
        Self { days, closed_on_holidays_of: RegionSet::EMPTY }
    }

    /// Germany: Mon-Fri 8-20, Sat 9-18, none on Sundays. The law sets no hours; these keep clear
    /// of unreasonable contact (UWG §§ 4a, 7). Add the debtor's state by
    /// [`without_holidays_of`](Self::without_holidays_of).
    pub const fn law_default_de() -> Self {
        Self::new(Some(Hours::EIGHT_TO_EIGHT), Some(Hours::NINE_TO_SIX), None)
    }

    /// Where no law applies (`law: none`): Mon-Sat 8-20, our own decency default.
    pub const fn decency_default() -> Self {
        Self::new(Some(Hours::EIGHT_TO_EIGHT), Some(Hours::EIGHT_TO_EIGHT), None)
    }

    /// Every minute of every day: the neutral element of [`intersect`](Self::intersect).
    pub const fn always() -> Self {
        Self::new(Some(Hours::ALL_DAY), Some(Hours::ALL_DAY), Some(Hours::ALL_DAY))
    }

    /// This window, closed on `region`'s holidays as well.
    pub const fn without_holidays_of(self, region: Region) -> Self {
        let regions = self.closed_on_holidays_of.union(RegionSet::only(region));
        Self { closed_on_holidays_of: regions, ..self }
    }

    /// When both windows are open: common hours, the holidays of both.
    pub fn intersect(&self, other: &Self) -> Self {
        let mut days = self.days;
        for (mine, theirs) in days.iter_mut().zip(other.days) {
            *mine = mine.zip(theirs).and_then(|(a, b)| a.intersect(b));
        }
        let regions = self.closed_on_holidays_of.union(other.closed_on_holidays_of);
        Self { days, closed_on_holidays_of: regions }
    }

    /// This window on `days` alone (`None`: all of its days) and within `hours` alone (`None`:
    /// all of its hours). Never wider than before; an empty `days` leaves nothing.
    pub fn narrowed(&self, days: Option<&[Weekday]>, hours: Option<Hours>) -> Self {
        let hours = hours.unwrap_or(Hours::ALL_DAY);
        let mut narrow = *self;
        for (at, open) in (0i8..).zip(narrow.days.iter_mut()) {
            let wanted =
                days.is_none_or(|days| days.iter().any(|day| day.to_monday_zero_offset() == at));
            *open = open.filter(|_| wanted).and_then(|open| open.intersect(hours));
        }
        narrow
    }

    /// Whether no day of the week has any hours: nobody could ever be contacted.
    pub fn is_empty(&self) -> bool {
        self.days.iter().all(Option::is_none)
    }

    /// The hours on `day`, whichever date it is; holidays aside.
    pub fn hours_on(&self, day: Weekday) -> Option<Hours> {
        self.days.get(usize::try_from(day.to_monday_zero_offset()).ok()?).copied().flatten()
    }

    /// The hours on `date`: none where it is a holiday.
    pub fn hours_of(&self, date: Date) -> Option<Hours> {
        let hours = self.hours_on(date.weekday())?;
        let closed = self.closed_on_holidays_of.iter().any(|r| holiday(date, r).is_some());
        (!closed).then_some(hours)
    }

    /// Whether contact is allowed at `at`, for a debtor in `zone`.
    pub fn is_open(&self, at: Timestamp, zone: &TimeZone) -> bool {
        let local = zone.to_datetime(at);
        self.hours_of(local.date()).is_some_and(|hours| hours.contains(local.time()))
    }

    /// The earliest moment at or after `at` at which contact is allowed, for a debtor in `zone`;
    /// `None` if there is none within 60 days.
    pub fn next_open(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.opening(at, zone.to_offset(at), zone)
    }

    /// The first allowed moment at or after the start of the day `on` in `zone`; `None` if there
    /// is none within 60 days.
    pub fn opening_of(&self, on: Date, zone: &TimeZone) -> Option<Timestamp> {
        let (start, offset) = start_of(on, zone)?;
        self.opening(start, offset, zone)
    }

    /// As [`next_open`](Self::next_open); `offset` is the one in force at `at`. Within one offset
    /// the clock runs evenly, so each offset's stretch is looked at by itself.
    fn opening(&self, at: Timestamp, offset: Offset, zone: &TimeZone) -> Option<Timestamp> {
        let limit = at.checked_add(SignedDuration::from_hours(24 * i64::from(HORIZON_DAYS)));
        let limit = limit.unwrap_or(Timestamp::MAX);
        let (mut from, mut offset) = (at, offset);
        loop {
            let opening = self
                .opening_from(offset.to_datetime(from))
                .and_then(|local| offset.to_timestamp(local).ok());
            if let Some(opening) = opening
                && (opening == from
                    || opening.duration_since(from) <= STEADY && zone.to_offset(opening) == offset)
            {
                return (opening <= limit).then_some(opening);
            }
            let change = next_change(from, offset, zone).filter(|&change| change <= limit);
            match (opening, change) {
                (Some(opening), Some(change)) if opening < change => return Some(opening),
                (_, Some(change)) => from = change,
                (opening, None) => return opening.filter(|&opening| opening <= limit),
            }
            offset = zone.to_offset(from);
        }
    }

    /// The first moment at or after `from` on a clock that is never changed.
    fn opening_from(&self, from: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        if let Some(hours) = self.hours_of(date) {
            if hours.contains(from.time()) {
                return Some(from);
            }
            if from.time() < hours.start() {
                return Some(date.to_datetime(hours.start()));
            }
        }
        for _ in 0..=HORIZON_DAYS {
            date = date.tomorrow().ok()?;
            if let Some(hours) = self.hours_of(date) {
                return Some(date.to_datetime(hours.start()));
            }
        }
        None
    }
}

/// The first change of the clock after `from` that leaves `offset`.
fn next_change(from: Timestamp, offset: Offset, zone: &TimeZone) -> Option<Timestamp> {
    zone.following(from).find(|change| change.offset() != offset).map(|change| change.timestamp())
}

/// The first instant that `zone`'s calendar shows as the day `on` or later, and its offset.
fn start_of(on: Date, zone: &TimeZone) -> Option<(Timestamp, Offset)> {
    use jiff::tz::AmbiguousOffset::{Fold, Gap, Unambiguous};
    let midnight = on.at(0, 0, 0, 0);
    match zone.to_ambiguous_timestamp(midnight).offset() {
        Unambiguous { offset } | Fold { before: offset, .. } => {
            Some((offset.to_timestamp(midnight).ok()?, offset))
        }
        // Midnight is skipped: the day starts with the change of the clock itself.
        Gap { before, after } => {
            let earlier = after.to_timestamp(midnight).ok()?;
            Some((next_change(earlier, before, zone)?, after))
        }
    }
}

#[cfg(test)]
mod tests;
