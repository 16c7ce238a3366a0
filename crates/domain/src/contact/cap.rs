//! How often a debtor may be contacted.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::calendar::Span;

/// At most `times` contacts within any `within_days` × 24 hours, over all channels. In files
/// `{ times: 2, in: 7d }`; the span is in days or weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactCap {
    /// How many contacts.
    pub times: NonZeroU32,
    /// Length of the sliding window in days of 24 hours.
    #[serde(rename = "in", serialize_with = "as_span", deserialize_with = "from_span")]
    pub within_days: NonZeroU32,
}

impl ContactCap {
    /// `None` where either number is 0.
    pub fn new(times: u32, within_days: u32) -> Option<Self> {
        Some(Self { times: NonZeroU32::new(times)?, within_days: NonZeroU32::new(within_days)? })
    }

    /// `times` in seven days; 0 counts as 1.
    pub(super) fn in_a_week(times: u32) -> Self {
        let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self { times: at_least_one(times), within_days: at_least_one(7) }
    }

    /// The earliest moment at or after `now` at which one more contact keeps the cap. `contacts`
    /// are all that were made or are already planned, in any order; those that are older than the
    /// window may be left out. A contact counts until exactly `within_days` × 24 hours after it.
    pub fn next_allowed(&self, contacts: &[Timestamp], now: Timestamp) -> Timestamp {
        let times = usize::try_from(self.times.get()).unwrap_or(usize::MAX);
        let Some(nth) = contacts.len().checked_sub(times) else {
            return now;
        };
        let mut ordered = contacts.to_vec();
        let (_, of_last_times, _) = ordered.select_nth_unstable(nth);
        let window = SignedDuration::from_hours(24 * i64::from(self.within_days.get()));
        of_last_times.checked_add(window).unwrap_or(Timestamp::MAX).max(now)
    }
}

fn as_span<S: Serializer>(days: &NonZeroU32, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{days}d"))
}

fn from_span<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroU32, D::Error> {
    let days = match Span::deserialize(from)? {
        Span::Days(n) => n,
        Span::Weeks(n) => n.saturating_mul(7),
        Span::BusinessDays(_) => {
            return Err(de::Error::custom("count a cap in days or weeks: 7d, 1w"));
        }
    };
    u32::try_from(days)
        .ok()
        .and_then(NonZeroU32::new)
        .ok_or_else(|| de::Error::custom("a cap needs one day at least"))
}
