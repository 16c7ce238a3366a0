//! How much may be on its way by one gateway: so many messages at once, so many a second, and none
//! while the gateway is away or has enough.
//!
//! Each gateway has a lane of its own, so that one which is slow or away holds no other up. What a
//! lane knows is of this process alone: several instances that send have each their own.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::senders::Pace;

/// The second in which only so many may leave.
const SECOND: Duration = Duration::from_secs(1);
/// The first pause where a gateway does not say how long; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Nobody is left alone for longer, whatever is asked for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);

/// What a gateway said to a message, as far as it concerns others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// It works: it took the message, or had something against this one alone.
    Works,
    /// It takes nothing from anybody just now, for so long where it said so.
    Busy(Option<Duration>),
}

/// Messages on their way by one gateway.
#[derive(Debug)]
pub(super) struct Lane {
    pace: Pace,
    /// Taken, and not at their end.
    under_way: usize,
    /// Of these, those that the gateway was not asked for yet.
    unasked: usize,
    /// When it was asked within the last second; only where that is limited.
    asked: VecDeque<Instant>,
    /// How many may be under way just now: few after a pause, then more with each that goes well.
    open: usize,
    paused_until: Option<Instant>,
    /// Pauses in a row.
    pauses: u32,
}

impl Lane {
    pub(super) const fn new(pace: Pace) -> Self {
        Self {
            pace,
            under_way: 0,
            unasked: 0,
            asked: VecDeque::new(),
            open: pace.at_once as usize,
            paused_until: None,
            pauses: 0,
        }
    }

    /// How many more messages may be taken at `now`; `None` while the gateway is left alone.
    pub(super) fn room(&mut self, now: Instant) -> Option<usize> {
        if self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        let room = self.open.saturating_sub(self.under_way);
        let Some(limit) = self.pace.per_second else { return Some(room) };
        while self.asked.front().is_some_and(|at| now.duration_since(*at) >= SECOND) {
            self.asked.pop_front();
        }
        // Those that were taken count as if they left in this very second: so does the limit hold
        // in whichever second they do.
        let limit = limit.get() as usize;
        Some(room.min(limit.saturating_sub(self.asked.len() + self.unasked)))
    }

    /// Whether it is worth to look for more: no less than a quarter of its places are free.
    pub(super) fn wants_more(&mut self, now: Instant) -> bool {
        self.room(now) >= Some((self.open / 4).max(1))
    }

    pub(super) const fn took(&mut self) {
        self.under_way += 1;
        self.unasked += 1;
    }

    /// The gateway is asked for one that was taken.
    pub(super) fn asks(&mut self, now: Instant) {
        self.unasked = self.unasked.saturating_sub(1);
        if self.pace.per_second.is_some() {
            self.asked.push_back(now);
        }
    }

    /// What the gateway said; how long it is left alone, where that began with this.
    pub(super) fn answered(&mut self, now: Instant, said: Said) -> Option<Duration> {
        let paused = self.paused_until.is_some_and(|until| now < until);
        match said {
            // An answer to what was asked before the pause.
            Said::Works if paused => None,
            Said::Works => {
                self.open = (self.open + 1).min(usize::from(self.pace.at_once));
                self.pauses = 0;
                None
            }
            Said::Busy(asked) => {
                let own = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(20)).min(LONGEST_PAUSE);
                let pause = asked.map_or(own, |asked| asked.min(LONGEST_ASKED));
                self.open = 1;
                if paused && asked.is_none() {
                    return None;
                }
                self.pauses = self.pauses.saturating_add(u32::from(!paused));
                self.paused_until = self.paused_until.max(Some(now + pause));
                (!paused).then_some(pause)
            }
        }
    }

    /// One came to its end; whether the gateway was asked for it.
    pub(super) const fn ended(&mut self, asked: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        if !asked {
            self.unasked = self.unasked.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::num::NonZeroU32;

    use super::*;

    fn lane(at_once: u16, per_second: u32) -> Lane {
        Lane::new(Pace { at_once, per_second: NonZeroU32::new(per_second) })
    }

    fn after(begun: Instant, millis: u64) -> Instant {
        begun + Duration::from_millis(millis)
    }

    #[test]
    fn places_are_free_again_when_their_messages_end() {
        let (mut lane, now) = (lane(8, 0), Instant::now());
        assert_eq!(lane.room(now), Some(8));
        (0..7).for_each(|_| lane.took());
        assert_eq!((lane.room(now), lane.wants_more(now)), (Some(1), false));
        lane.asks(now);
        lane.ended(true);
        assert_eq!((lane.room(now), lane.wants_more(now)), (Some(2), true));
    }

    /// However takes, attempts and ends lie: in no second are more asked for than allowed.
    #[test]
    fn in_no_second_leave_more_than_may() {
        let (mut lane, begun) = (lane(50, 10), Instant::now());
        let (mut waiting, mut left) = (VecDeque::new(), Vec::new());
        let mut dice = 7_u64;
        for millis in 0..20_000_u64 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let now = after(begun, millis);
            // Between the take and the attempt it takes none to 255 ms.
            for _ in 0..lane.room(now).unwrap() {
                lane.took();
                waiting.push_back(millis + (dice >> 56));
            }
            waiting.retain(|at| {
                let leaves = *at <= millis;
                if leaves {
                    lane.asks(now);
                    lane.ended(true);
                    left.push(millis);
                }
                !leaves
            });
        }
        for from in &left {
            let second = *from..from + 1000;
            assert!(left.iter().filter(|at| second.contains(at)).count() <= 10);
        }
        assert!(left.len() > 130, "{} in 20 seconds", left.len());
    }

    #[test]
    fn a_message_that_does_not_leave_takes_nobodys_turn() {
        let (mut lane, now) = (lane(50, 2), Instant::now());
        lane.took();
        lane.took();
        assert_eq!(lane.room(now), Some(0));
        lane.ended(false);
        assert_eq!(lane.room(now), Some(1));
        lane.asks(now);
        lane.ended(true);
        assert_eq!(lane.room(after(now, 999)), Some(1));
        assert_eq!(lane.room(after(now, 1000)), Some(2));
    }

    #[test]
    fn a_gateway_that_has_enough_is_left_alone_for_as_long_as_it_says() {
        let (mut lane, now) = (lane(8, 0), Instant::now());
        (0..8).for_each(|_| lane.took());
        let asked = Some(Duration::from_secs(30));
        assert_eq!(lane.answered(now, Said::Busy(asked)), asked);
        // Others that were under way hear the same, or were taken.
        assert_eq!(lane.answered(after(now, 10), Said::Busy(None)), None);
        assert_eq!(lane.answered(after(now, 20), Said::Works), None);
        assert_eq!(lane.answered(after(now, 1000), Said::Busy(asked)), None, "it lasts longer");
        (0..8).for_each(|_| lane.ended(true));
        assert_eq!(lane.room(after(now, 30_999)), None);
        // One tries it, then two, then four.
        let now = after(now, 31_000);
        assert_eq!(lane.room(now), Some(1));
        lane.answered(now, Said::Works);
        assert_eq!(lane.room(now), Some(2));
        (0..20).for_each(|_| assert_eq!(lane.answered(now, Said::Works), None));
        assert_eq!(lane.room(now), Some(8));
    }

    #[test]
    fn without_a_word_on_how_long_the_pauses_double_until_it_works() {
        let (mut lane, mut now) = (lane(8, 0), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..11 {
            let pause = lane.answered(now, Said::Busy(None)).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        lane.answered(now, Said::Works);
        assert_eq!(lane.answered(now, Said::Busy(None)), Some(FIRST_PAUSE));
        let years = Some(Duration::from_secs(1_000_000_000));
        assert_eq!(lane.answered(now + LONGEST_PAUSE, Said::Busy(years)), Some(LONGEST_ASKED));
    }
}
