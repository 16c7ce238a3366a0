//! How long to wait after a failed attempt: exponential with full jitter, bounded in tries and in
//! time. Pure: the caller brings the random number and the times.

use std::time::Duration;

/// Bounds of a series of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Attempts in all, the first included.
    pub tries: u32,
    /// Longest wait after the first attempt; doubles with each further one.
    pub base: Duration,
    /// No window of waiting is longer than this.
    pub cap: Duration,
    /// No attempt begins later than this after the first.
    pub total: Duration,
}

impl Default for Backoff {
    /// Eight tries within a day; windows of 2, 4, 8 … 128 minutes, so that a grey-listing server
    /// and a gateway's bad hour are both outlived.
    fn default() -> Self {
        Self {
            tries: 8,
            base: Duration::from_secs(120),
            cap: Duration::from_secs(4 * 3600),
            total: Duration::from_secs(24 * 3600),
        }
    }
}

impl Backoff {
    /// The wait before the next attempt, or `None` when there is none and the message is parked.
    ///
    /// `attempts`: how many have failed, at least 1. `elapsed`: from the first attempt until now.
    /// `random`: 64 uniform bits. `asked`: a gateway's `Retry-After`; the wait is never shorter,
    /// and the jitter comes on top so that all waiting messages do not return at once.
    pub fn next(
        &self,
        attempts: u32,
        elapsed: Duration,
        random: u64,
        asked: Option<Duration>,
    ) -> Option<Duration> {
        if attempts >= self.tries {
            return None;
        }
        let doublings = attempts.saturating_sub(1).min(31);
        let window = self.base.saturating_mul(1 << doublings).min(self.cap);
        let wait = share(window, random).saturating_add(asked.unwrap_or_default());
        (elapsed.saturating_add(wait) <= self.total).then_some(wait)
    }
}

/// `window` times `random / 2⁶⁴`, in whole milliseconds.
fn share(window: Duration, random: u64) -> Duration {
    let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    let millis = (u128::from(random) * (u128::from(window) + 1)) >> 64;
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn the_window_doubles_until_its_cap_and_jitter_uses_all_of_it() {
        let backoff = Backoff { tries: 40, total: Duration::MAX, ..Backoff::default() };
        let longest = |n| backoff.next(n, NONE, u64::MAX, None).map(|d| d.as_secs());
        assert_eq!([1, 2, 3, 7].map(longest), [Some(120), Some(240), Some(480), Some(7680)]);
        assert_eq!([8, 30, 39].map(longest), [Some(14400); 3]);
        assert_eq!(backoff.next(7, NONE, 0, None), Some(NONE));
        let middle = backoff.next(1, NONE, u64::MAX / 2, None).map(|d| d.as_secs());
        assert_eq!(middle, Some(60));
    }

    #[test]
    fn the_eighth_failure_is_the_last() {
        let backoff = Backoff::default();
        assert!(backoff.next(7, NONE, 7, None).is_some());
        assert_eq!(backoff.next(8, NONE, 7, None), None);
        assert_eq!(backoff.next(u32::MAX, NONE, 7, None), None);
    }

    #[test]
    fn no_attempt_begins_later_than_the_total_time() {
        let backoff = Backoff::default();
        let day = backoff.total;
        assert_eq!(backoff.next(1, day, u64::MAX, None), None);
        assert_eq!(backoff.next(1, day, 0, None), Some(NONE));
        assert_eq!(backoff.next(1, Duration::MAX, 1, Some(Duration::MAX)), None);
        let endless = Backoff { tries: 9, base: Duration::MAX, cap: Duration::MAX, total: day };
        assert_eq!(endless.next(5, NONE, u64::MAX, None), None);
        assert_eq!(endless.next(5, NONE, 0, None), Some(NONE));
    }

    #[test]
    fn a_gateway_that_names_a_time_is_not_asked_earlier() {
        let backoff = Backoff::default();
        let asked = Some(Duration::from_secs(600));
        assert_eq!(backoff.next(1, NONE, 0, asked), asked);
        let later = backoff.next(1, NONE, u64::MAX, asked);
        assert_eq!(later, Some(Duration::from_secs(720)));
    }
}
