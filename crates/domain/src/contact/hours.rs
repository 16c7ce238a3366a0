//! Hours of a day.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, civil::Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Why a text is no range of hours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HoursError {
    /// Not two times of day.
    #[error("`{0}` is not a range of hours: write it as 09:00-19:00")]
    NotHours(String),
    /// Ends before, or where, it starts.
    #[error("`{text}` ends at {to}, not after its start at {from}: hours do not cross midnight")]
    Backwards {
        /// The text as given.
        text: String,
        /// Its start.
        from: String,
        /// Its end.
        to: String,
    },
}

/// Hours of one day, from the first minute to just before the last: `09:00-19:00` is open at
/// 09:00:00 and at 18:59:59. Never empty; `24:00` may end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hours {
    /// Minutes since midnight, 0 to 1439.
    from: u16,
    /// Minutes since midnight, `from` + 1 to 1440.
    to: u16,
}

impl Hours {
    /// `00:00-24:00`.
    pub const ALL_DAY: Self = Self { from: 0, to: 24 * 60 };
    pub(super) const EIGHT_TO_EIGHT: Self = Self { from: 8 * 60, to: 20 * 60 };
    pub(super) const NINE_TO_SIX: Self = Self { from: 9 * 60, to: 18 * 60 };
    pub(super) const EIGHT_TO_NINE_PM: Self = Self { from: 8 * 60, to: 21 * 60 };

    /// When they start.
    pub fn start(self) -> Time {
        Time::MIN.wrapping_add(SignedDuration::from_mins(i64::from(self.from)))
    }

    /// The first minute of the day that is no longer in them, 1 to 1440.
    pub fn end_minute(self) -> u16 {
        self.to
    }

    /// Whether `time` lies in them; the end does not.
    pub fn contains(self, time: Time) -> bool {
        let minute = i32::from(time.hour()) * 60 + i32::from(time.minute());
        i32::from(self.from) <= minute && minute < i32::from(self.to)
    }

    /// What lies in both, if anything.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from < both.to).then_some(both)
    }
}

/// Minutes of `HH:MM`, 0 to 1440.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| match part.as_bytes() {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(u16::from(a - b'0') * 10 + u16::from(b - b'0')),
        _ => None,
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= 24 * 60).then_some(total)
}

impl FromStr for Hours {
    type Err = HoursError;
    fn from_str(text: &str) -> Result<Self, HoursError> {
        let shown = || text.chars().take(80).collect::<String>();
        let ends = text.split_once('-');
        let parsed = ends.and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
        let (Some((from, to)), Some((from_text, to_text))) = (parsed, ends) else {
            return Err(HoursError::NotHours(shown()));
        };
        if from >= to {
            return Err(HoursError::Backwards {
                text: shown(),
                from: from_text.to_owned(),
                to: to_text.to_owned(),
            });
        }
        Ok(Self { from, to })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Hours;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("hours such as 09:00-19:00")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hours, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}
