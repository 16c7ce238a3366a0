//! The brake: how many messages may leave for a creditor before a person is asked.
//!
//! A first policy on an existing book, or the first morning after a long stop, must not become a
//! flood. Here are the limits and the arithmetic alone: what has left comes from the store, and
//! whoever sends asks before each batch. A limit that is reached **stops**; it does not pace.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{calendar::day_in, decision::start_of, policy::Rules};

/// The usual is taken from so many days before today.
pub const LOOK_BACK_DAYS: i32 = 28;
/// With fewer days than this on which anything left, there is no usual yet.
pub const LEAST_DAYS: usize = 5;
/// `times_usual` lets so many messages a day pass however few are usual: a small shop is not
/// stopped by its tenth message.
pub const ALWAYS_A_DAY: u64 = 100;

/// Limits on the messages of one creditor; at least one of them is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// Messages within any 60 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<NonZeroU32>,
    /// Messages on a day of the creditor's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<NonZeroU32>,
    /// Messages on a day, as a multiple of the usual number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_usual: Option<NonZeroU32>,
}

/// One of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `per_hour`.
    PerHour,
    /// `per_day`.
    PerDay,
    /// `times_usual`.
    TimesUsual,
}

/// What has left for a creditor, as far as it counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Within the last 60 minutes.
    pub last_hour: u64,
    /// Since the day began in the creditor's zone.
    pub today: u64,
    /// On a usual day; `None` while too few days are known.
    pub usual: Option<u64>,
}

/// How much of a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Which limit.
    pub limit: Limit,
    /// Messages that it lets pass.
    pub allowed: u64,
    /// Messages that count against it.
    pub used: u64,
}

impl Used {
    /// Messages that may still leave.
    pub const fn left(&self) -> u64 {
        self.allowed.saturating_sub(self.used)
    }
}

impl Limit {
    /// The key in policy files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerHour => "per_hour",
            Self::PerDay => "per_day",
            Self::TimesUsual => "times_usual",
        }
    }
}

impl Brake {
    /// Of each limit the lower one.
    pub fn strictest(self, other: Self) -> Self {
        let lower = |a: Option<NonZeroU32>, b: Option<NonZeroU32>| a.into_iter().chain(b).min();
        Self {
            per_hour: lower(self.per_hour, other.per_hour),
            per_day: lower(self.per_day, other.per_day),
            times_usual: lower(self.times_usual, other.times_usual),
        }
    }

    /// Each limit that is set and can be told, with what is used of it.
    pub fn used(&self, traffic: &Traffic) -> Vec<Used> {
        let count = |limit: NonZeroU32| u64::from(limit.get());
        let per_hour = self.per_hour.map(|limit| Used {
            limit: Limit::PerHour,
            allowed: count(limit),
            used: traffic.last_hour,
        });
        let per_day = self.per_day.map(|limit| Used {
            limit: Limit::PerDay,
            allowed: count(limit),
            used: traffic.today,
        });
        let times_usual = self.times_usual.zip(traffic.usual).map(|(times, usual)| Used {
            limit: Limit::TimesUsual,
            allowed: count(times).saturating_mul(usual).max(ALWAYS_A_DAY),
            used: traffic.today,
        });
        [per_hour, per_day, times_usual].into_iter().flatten().collect()
    }

    /// The limit that is nearest to being reached; `None`: none of them can be told yet.
    pub fn nearest(&self, traffic: &Traffic) -> Option<Used> {
        self.used(traffic).into_iter().min_by_key(Used::left)
    }
}

impl Rules {
    /// The brake of the creditor. It counts the messages of all of its currencies together, and
    /// of several policies' limits the strictest holds.
    pub fn brake(&self) -> Option<Brake> {
        self.policies.values().filter_map(|policy| policy.brake).reduce(Brake::strictest)
    }
}

/// The usual number of messages a day: the middle one of the days on which any left, so that one
/// day that ran away does not make the next flood look usual. `days` are those before today.
pub fn usual(days: impl IntoIterator<Item = u64>) -> Option<u64> {
    let mut busy: Vec<u64> = days.into_iter().filter(|messages| *messages > 0).collect();
    busy.sort_unstable();
    (busy.len() >= LEAST_DAYS).then(|| busy[(busy.len() - 1) / 2])
}

/// The moments between which messages are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    /// Today, in the creditor's zone.
    pub today: Date,
    /// 60 minutes ago.
    pub hour: Timestamp,
    /// When today began.
    pub day: Timestamp,
}

impl Spans {
    /// At `now`, in the creditor's zone.
    pub fn at(now: Timestamp, zone: &TimeZone) -> Self {
        let today = day_in(now, zone);
        let hour = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now);
        Self { today, hour, day: start_of(today, zone) }
    }

    /// The days before today from which the usual is taken, oldest first, each from its first
    /// moment to that of the next. A day of 23 or 25 hours is one day.
    pub fn days_before(&self, zone: &TimeZone) -> Vec<(Date, Timestamp, Timestamp)> {
        let day = |back: i32| self.today.checked_sub(back.days()).unwrap_or(Date::MIN);
        (1..=LOOK_BACK_DAYS)
            .rev()
            .map(|back| (day(back), start_of(day(back), zone), start_of(day(back - 1), zone)))
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn brake(per_hour: u32, per_day: u32, times_usual: u32) -> Brake {
        let [per_hour, per_day, times_usual] =
            [per_hour, per_day, times_usual].map(NonZeroU32::new);
        Brake { per_hour, per_day, times_usual }
    }

    #[test]
    fn the_usual_is_the_middle_of_the_days_with_messages_and_needs_five_of_them() {
        assert_eq!(usual([10, 0, 20, 0, 30, 40]), None);
        assert_eq!(usual([10, 0, 20, 0, 30, 40, 50]), Some(30));
        // One day that ran away changes little; a mean would be 8360.
        assert_eq!(usual([400, 450, 420, 430, 50_000, 460]), Some(430));
    }

    #[test]
    fn a_small_shop_is_not_stopped_by_its_tenth_message() {
        let traffic = Traffic { last_hour: 10, today: 10, usual: Some(1) };
        let nearest = brake(0, 0, 5).nearest(&traffic).unwrap();
        assert_eq!((nearest.allowed, nearest.left()), (ALWAYS_A_DAY, 90));
        let busy = Traffic { usual: Some(300), ..traffic };
        assert_eq!(brake(0, 0, 5).nearest(&busy).unwrap().allowed, 1500);
    }

    #[test]
    fn without_a_usual_the_other_limits_hold_alone() {
        let traffic = Traffic { last_hour: 3, today: 3, usual: None };
        assert_eq!(brake(0, 0, 5).nearest(&traffic), None);
        let nearest = brake(4, 100, 5).nearest(&traffic).unwrap();
        assert_eq!((nearest.limit, nearest.left()), (Limit::PerHour, 1));
    }

    #[test]
    fn of_two_policies_the_strictest_limit_holds() {
        assert_eq!(brake(100, 0, 5).strictest(brake(200, 900, 3)), brake(100, 900, 3));
    }

    #[test]
    fn days_begin_in_the_creditors_zone_and_may_have_23_or_25_hours() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let hours = |now: &str, back: usize| {
            let days = Spans::at(now.parse().unwrap(), &zone).days_before(&zone);
            assert_eq!(days.len(), 28);
            let (_, from, until) = days[28 - back];
            until.duration_since(from).as_hours()
        };
        // Summer time begins on 29 March and ends on 25 October.
        assert_eq!(hours("2026-03-30T08:00:00Z", 1), 23);
        assert_eq!(hours("2026-03-30T08:00:00Z", 2), 24);
        assert_eq!(hours("2026-10-26T08:00:00Z", 1), 25);
        // Half an hour past midnight in Berlin, the evening before in UTC.
        let spans = Spans::at("2026-07-01T22:30:00Z".parse().unwrap(), &zone);
        assert_eq!(spans.today.to_string(), "2026-07-02");
        assert_eq!(spans.day.to_string(), "2026-07-01T22:00:00Z");
        assert_eq!(spans.hour.to_string(), "2026-07-01T21:30:00Z");
    }
}
