//! Where a claim stands on a day, as far as it matters for whether it is paid: how long it is until
//! the due date or since the last thing that happened, whether something stays its dunning, the
//! last step, for whom it was written, and how large the claim is. A cell holds all days of claims
//! that stand in the same place.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::{Date, date};
use kulanz_domain::ids::{PersonaName, StepName};

/// Days since 1970: what spans and sums are counted in.
pub(super) type DayNumber = i32;

/// The number of a day.
pub(super) fn number(day: Date) -> DayNumber {
    (day - date(1970, 1, 1)).get_days()
}

/// The day of a number; days beyond the calendar are its last one.
pub(super) fn day(number: DayNumber) -> Date {
    let span = jiff::Span::new().try_days(number);
    span.and_then(|span| date(1970, 1, 1).checked_add(span)).unwrap_or(Date::MAX)
}

/// The least days until the due date of each band before it; the due date itself is the first.
const BEFORE: [DayNumber; 6] = [0, 1, 4, 8, 15, 31];
/// The least days since the due date or the last step, whichever is later, of each band after it.
const AFTER: [DayNumber; 12] = [1, 2, 4, 8, 15, 22, 31, 46, 61, 91, 181, 366];
/// Size classes of claims.
pub(super) const SIZES: usize = 4;

/// A place; the parents of a cell have less of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Cell {
    /// A dispute, a hold, a promise or a plan stays its dunning.
    pub stayed: bool,
    /// Bands before the due date, then those after it.
    pub timing: u8,
    /// The last step, as [`Names`] number it.
    pub step: u16,
    /// For whom that was written.
    pub persona: u16,
    /// Size class.
    pub size: u8,
}

/// How many levels stand above one another: everything, then one more part of the cell each time.
pub(super) const LEVELS: usize = 6;
/// The level that knows stays, time and step: weeks are compared on it.
pub(super) const STEPS: usize = 3;

impl Cell {
    /// The cell of `level` that this one belongs to; [`LEVELS`]` - 1` is the cell itself.
    pub fn at(self, level: usize) -> Self {
        let Self { stayed, timing, step, persona, .. } = self;
        match level {
            0 => Self::default(),
            1 => Self { stayed, ..Self::default() },
            2 => Self { stayed, timing, ..Self::default() },
            STEPS => Self { stayed, timing, step, ..Self::default() },
            4 => Self { stayed, timing, step, persona, size: 0 },
            _ => self,
        }
    }
}

/// Numbers for the names of steps and personas: 0 is none, 1 any that is not listed.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub steps: Vec<StepName>,
    pub personas: Vec<PersonaName>,
    step_numbers: HashMap<StepName, u16>,
    persona_numbers: HashMap<PersonaName, u16>,
}

/// The number of the first name.
const FIRST: usize = 2;

impl Names {
    pub fn new(steps: BTreeSet<StepName>, personas: BTreeSet<PersonaName>) -> Self {
        let numbered = |at: usize| u16::try_from(at + FIRST).unwrap_or(1);
        let (steps, personas): (Vec<_>, Vec<_>) =
            (steps.into_iter().collect(), personas.into_iter().collect());
        Self {
            step_numbers: steps
                .iter()
                .cloned()
                .enumerate()
                .map(|(at, n)| (n, numbered(at)))
                .collect(),
            persona_numbers: personas
                .iter()
                .cloned()
                .enumerate()
                .map(|(at, name)| (name, numbered(at)))
                .collect(),
            steps,
            personas,
        }
    }

    pub fn step(&self, name: &StepName) -> u16 {
        self.step_numbers.get(name).copied().unwrap_or(1)
    }

    pub fn persona(&self, name: Option<&PersonaName>) -> u16 {
        name.map_or(0, |name| self.persona_numbers.get(name).copied().unwrap_or(1))
    }

    /// The name of a step; `None` where there was none.
    pub fn step_name(&self, number: u16) -> Option<String> {
        named(number, |at| self.steps.get(at).map(ToString::to_string))
    }

    /// The name of a persona; `None` before the first message.
    pub fn persona_name(&self, number: u16) -> Option<String> {
        named(number, |at| self.personas.get(at).map(ToString::to_string))
    }
}

fn named(number: u16, name: impl Fn(usize) -> Option<String>) -> Option<String> {
    match usize::from(number).checked_sub(FIRST) {
        Some(at) => name(at),
        None => (number == 1).then(|| "another".to_owned()),
    }
}

/// Upper ends of the size classes but the last, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes([i64; SIZES - 1]);

impl Sizes {
    /// Classes that hold about the same number of `amounts` each.
    pub fn of(mut amounts: Vec<i64>) -> Self {
        amounts.sort_unstable();
        let at = |class: usize| {
            amounts.get(amounts.len() * (class + 1) / SIZES).copied().unwrap_or(i64::MAX)
        };
        Self(std::array::from_fn(at))
    }

    pub fn class(&self, amount: i64) -> u8 {
        u8::try_from(self.0.iter().filter(|end| amount > **end).count()).unwrap_or(0)
    }
}

/// The way of one claim: what its cell depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Track {
    pub due: DayNumber,
    pub size: u8,
    /// Day, step and persona of each step, in time.
    pub steps: Vec<(DayNumber, u16, u16)>,
    /// Stretches of days on which something stays its dunning: the first, and the first after it.
    pub stays: Vec<(DayNumber, DayNumber)>,
}

impl Track {
    /// The stretches of days from `from` until before `to` in which the claim stands in one place.
    /// A step counts from the day after it on: who pays on its day may have paid before it came.
    pub fn spans(
        &self,
        from: DayNumber,
        to: DayNumber,
        mut each: impl FnMut(DayNumber, DayNumber, Cell),
    ) {
        let mut day = from;
        while day < to {
            let taken = self.steps.partition_point(|(on, ..)| *on < day);
            let last = taken.checked_sub(1).and_then(|at| self.steps.get(at));
            let (step, persona) = last.map_or((0, 0), |(_, step, persona)| (*step, *persona));
            let (timing, mut end) = if day <= self.due {
                let left = self.due - day;
                let band = BEFORE.iter().filter(|least| **least <= left).count() - 1;
                (band, self.due - BEFORE[band] + 1)
            } else {
                let anchor = last.map_or(self.due, |(on, ..)| self.due.max(*on));
                let since = day - anchor;
                let band = AFTER.iter().filter(|least| **least <= since).count() - 1;
                let next = AFTER.get(band + 1).map_or(to, |least| anchor + least);
                (BEFORE.len() + band, next)
            };
            if let Some((on, ..)) = self.steps.get(taken) {
                end = end.min(on + 1);
            }
            let stayed = self.stays.iter().any(|(from, to)| (*from..*to).contains(&day));
            let edges = self.stays.iter().flat_map(|(from, to)| [*from, *to]);
            let edge = edges.filter(|edge| *edge > day).min().unwrap_or(to);
            let end = end.min(edge).min(to).max(day + 1);
            let timing = u8::try_from(timing).unwrap_or(u8::MAX);
            each(day, end, Cell { stayed, timing, step, persona, size: self.size });
            day = end;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn told(track: &Track, from: DayNumber, to: DayNumber) -> Vec<(DayNumber, DayNumber, u8, u16)> {
        let mut spans = Vec::new();
        track.spans(from, to, |first, end, cell| spans.push((first, end, cell.timing, cell.step)));
        spans
    }

    #[test]
    fn a_claim_moves_through_the_bands_before_and_after_its_due_date() {
        let track = Track { due: 100, size: 0, steps: Vec::new(), stays: Vec::new() };
        assert_eq!(
            told(&track, 95, 106),
            [
                (95, 97, 2, 0),
                (97, 100, 1, 0),
                (100, 101, 0, 0),
                (101, 102, 6, 0),
                (102, 104, 7, 0),
                (104, 106, 8, 0)
            ]
        );
    }

    #[test]
    fn a_step_counts_from_the_day_after_it_on() {
        let track = Track {
            due: 100,
            size: 0,
            steps: vec![(98, 2, 0), (105, 3, 0), (105, 4, 0)],
            ..Track::default()
        };
        assert_eq!(
            told(&track, 97, 108),
            [
                (97, 99, 1, 0),
                (99, 100, 1, 2),
                (100, 101, 0, 2),
                (101, 102, 6, 2),
                (102, 104, 7, 2),
                (104, 106, 8, 2),
                (106, 107, 6, 4),
                (107, 108, 7, 4)
            ]
        );
    }

    #[test]
    fn spans_cover_each_day_once_however_far_they_reach() {
        let track = Track {
            due: 20,
            size: 1,
            steps: vec![(30, 2, 1), (47, 3, 1), (300, 4, 2)],
            stays: vec![(-10, 5), (33, 40), (36, 50), (1_000, DayNumber::MAX)],
        };
        let mut next = -50;
        track.spans(-50, 2_000, |first, end, _| {
            assert_eq!(first, next);
            assert!(end > first);
            next = end;
        });
        assert_eq!(next, 2_000);
    }

    #[test]
    fn what_stays_the_dunning_of_a_claim_is_a_place_of_its_own() {
        let stays = vec![(102, 105), (104, 107)];
        let track = Track { due: 90, stays, ..Track::default() };
        let mut stayed = Vec::new();
        track.spans(100, 110, |first, end, cell| stayed.push((first, end, cell.stayed)));
        let on: i32 = stayed.iter().filter(|one| one.2).map(|(first, end, _)| end - first).sum();
        assert_eq!((on, stayed.first().unwrap().2, stayed.last().unwrap().2), (5, false, false));
        assert!(
            stayed.iter().all(|(first, _, on)| *on == (102..107).contains(first)),
            "{stayed:?}"
        );
    }

    #[test]
    fn size_classes_hold_about_the_same_number_of_claims() {
        let sizes = Sizes::of((1..=100).collect());
        let mut held = [0; SIZES];
        (1..=100).for_each(|amount| held[usize::from(sizes.class(amount))] += 1);
        assert!(held.iter().all(|count| (24..=26).contains(count)), "{held:?}");
        assert_eq!(Sizes::of(Vec::new()).class(5), 0);
    }

    #[test]
    fn days_and_their_numbers_are_the_same() {
        for date in [date(1969, 12, 31), date(2026, 10, 12)] {
            assert_eq!(day(number(date)), date);
        }
    }
}
