//! Limitation (Verjährung), §§ 195 to 214 BGB: the last day of a period, the day by which to act,
//! and each step that led there.
//!
//! A person must be able to follow the result, so it carries its steps. What it does not know:
//! when the creditor learned of the claim (§ 199 (1) no. 2; for an invoice it is when it fell
//! due), the longest periods of § 199 (2) to (4), special periods of sale or work contracts, and
//! § 497 (3) sentence 3 (consumer credit). A title for performances that recur keeps the standard
//! period (§ 197 (2)) and is to be given as a claim, not as a title.

use jiff::{ToSpan, civil::Date};
use serde::Serialize;
use thiserror::Error;

use crate::calendar::{Region, roll_193};

/// Which period runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Period {
    /// Three years from the end of the year in which the claim fell due (§§ 195, 199 (1) BGB).
    Standard {
        /// Day on which it fell due.
        due_on: Date,
    },
    /// Thirty years from the day on which a title became final (§§ 197 (1) no. 3, 201 BGB).
    Title {
        /// Day on which it became final.
        final_on: Date,
    },
}

/// Why a period stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspensionGround {
    /// Negotiations (§ 203 BGB): the claim is barred three months after their end at the earliest.
    Negotiation,
    /// Deferral (§ 205 BGB).
    Deferral,
    /// Legal pursuit (§ 204 BGB): the period stands still for six more months after the end of
    /// the proceedings or the last act in them. The day to give is that end.
    Court,
    /// Another ground; its days are taken as they are given.
    Other,
}

/// Days that do not count (§ 209 BGB), both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspension {
    /// First day.
    pub from: Date,
    /// Last day; `None` while it goes on.
    pub to: Option<Date>,
    /// Why.
    pub ground: SuspensionGround,
}

/// All that bears on the limitation of one claim. The order of the lists does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitationCase {
    /// Which period runs.
    pub period: Period,
    /// When it stood still.
    pub suspensions: Vec<Suspension>,
    /// Days on which the debtor acknowledged the claim or paid a part (§ 212 (1) no. 1 BGB).
    pub acknowledged_on: Vec<Date>,
    /// States whose holidays move the day by which to act (§ 193 BGB).
    pub regions: Vec<Region>,
}

/// Result: when a claim is barred, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limitation {
    /// Last day of the period; `None` while a suspension goes on.
    pub last_day: Option<Date>,
    /// Last day on which the creditor can act, rolled by § 193 BGB.
    pub act_by: Option<Date>,
    /// How it came about, in order.
    pub steps: Vec<LimitationStep>,
}

/// One step of the derivation. `last_day` is the end of the period as known after the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum LimitationStep {
    /// The period begins.
    Starts {
        /// Which.
        period: Period,
        /// Its first day.
        first_day: Date,
        /// Its last day.
        last_day: Date,
    },
    /// An acknowledgement starts it anew (§ 212 BGB).
    StartsAnew {
        /// Day of the acknowledgement.
        acknowledged_on: Date,
        /// First day of the new period, the next one.
        first_day: Date,
        /// Its last day.
        last_day: Date,
    },
    /// An acknowledgement came before the period had begun, and changes nothing
    /// (BGH VIII ZR 344/12).
    AcknowledgedTooEarly {
        /// Day of the acknowledgement.
        acknowledged_on: Date,
        /// First day of the period.
        first_day: Date,
    },
    /// An acknowledgement came when the claim was barred, and changes nothing.
    AcknowledgedTooLate {
        /// Day of the acknowledgement.
        acknowledged_on: Date,
        /// Last day of the period.
        last_day: Date,
    },
    /// Days that do not count move the end (§ 209 BGB).
    Suspended {
        /// First suspended day within the period.
        from: Date,
        /// Last one.
        to: Date,
        /// How many days.
        days: i32,
        /// Last day of the period now.
        last_day: Date,
    },
    /// A suspension was over before the period began.
    SuspendedTooEarly {
        /// First day.
        from: Date,
        /// Last day.
        to: Date,
        /// First day of the period.
        first_day: Date,
    },
    /// A suspension began when the claim was barred.
    SuspendedTooLate {
        /// First day.
        from: Date,
        /// Last day of the period.
        last_day: Date,
    },
    /// A suspension goes on: the period has no end yet.
    StandsStill {
        /// Since when.
        from: Date,
    },
    /// The six months of § 204 (2) BGB after proceedings.
    SixMonthsMore {
        /// End of the proceedings.
        ended_on: Date,
        /// Last suspended day.
        to: Date,
    },
    /// Not before three months after negotiations (§ 203 sentence 2 BGB).
    NotBefore {
        /// Last day of the negotiations.
        ended_on: Date,
        /// Last day of the period now.
        last_day: Date,
    },
    /// The end falls on a Saturday, Sunday or holiday (§ 193 BGB).
    Rolled {
        /// End of the period.
        last_day: Date,
        /// The next working day.
        act_by: Date,
    },
}

/// Why no end can be computed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LimitationError {
    /// A suspension ends before it starts.
    #[error("the suspension from {from} ends on {to}, before it starts")]
    EndsBeforeItStarts {
        /// First day.
        from: Date,
        /// Last day.
        to: Date,
    },
}

impl Period {
    /// First and last day, before anything bears on it. The standard period runs from 1 January
    /// after the due day to 31 December of the third year; a title's from the next day to the
    /// day of the same number thirty years later (§§ 187 (1), 188 (2), (3) BGB). [V]
    pub fn bounds(self) -> (Date, Date) {
        match self {
            Self::Standard { due_on } => {
                let end_of_year = due_on.last_of_year();
                let last = Date::new(due_on.year().saturating_add(3), 12, 31).unwrap_or(Date::MAX);
                (next_day(end_of_year), last)
            }
            Self::Title { final_on } => (next_day(final_on), self.anew(final_on)),
        }
    }

    /// Last day of the period where it starts on the day after `event`. [V]
    fn anew(self, event: Date) -> Date {
        match self {
            Self::Standard { .. } => years_later(event, 3),
            Self::Title { .. } => years_later(event, 30),
        }
    }
}

/// When a claim is barred (§§ 195, 197, 199, 203 to 205, 209, 212 BGB), and the day by which to
/// act (§ 193 BGB).
///
/// - The latest acknowledgement made while the period ran, or stood still, starts it anew on the
///   next day, not at year end [V]; one before the period began does not (BGH VIII ZR 344/12)
///   [V], one after its end does not [M].
/// - Suspended days within the period are added to its end, each once however many grounds there
///   are; a suspension counts if it begins on or before the last day as known then [V].
/// - Negotiations: not barred before three months have passed since their end [V].
/// - § 193 BGB moves the day by which to act, not the period's last day; that it applies to
///   limitation is settled in case law [M].
pub fn limitation(case: &LimitationCase) -> Result<Limitation, LimitationError> {
    let (mut first_day, mut last_day) = case.period.bounds();
    let mut steps = vec![LimitationStep::Starts { period: case.period, first_day, last_day }];
    let suspensions = suspensions(&case.suspensions, &mut steps)?;

    let mut acknowledged = case.acknowledged_on.clone();
    acknowledged.sort_unstable();
    let mut without_effect = Vec::new();
    for acknowledged_on in acknowledged {
        if acknowledged_on < first_day {
            let first_day = case.period.bounds().0;
            steps.push(LimitationStep::AcknowledgedTooEarly { acknowledged_on, first_day });
            continue;
        }
        // Only what had begun by then can have kept the period alive.
        let begun: Vec<Run> =
            suspensions.iter().filter(|run| run.from <= acknowledged_on).cloned().collect();
        let end = extended(first_day, last_day, &begun, &mut Vec::new());
        if end.is_some_and(|end| end < acknowledged_on) {
            let last_day = end.unwrap_or(last_day);
            without_effect.push(LimitationStep::AcknowledgedTooLate { acknowledged_on, last_day });
            continue;
        }
        first_day = next_day(acknowledged_on);
        last_day = case.period.anew(acknowledged_on);
        steps.push(LimitationStep::StartsAnew { acknowledged_on, first_day, last_day });
    }

    let end = extended(first_day, last_day, &suspensions, &mut steps);
    steps.append(&mut without_effect);
    let act_by = end.map(|last_day| roll_193(last_day, &case.regions));
    if let (Some(last_day), Some(act_by)) = (end, act_by)
        && act_by != last_day
    {
        steps.push(LimitationStep::Rolled { last_day, act_by });
    }
    Ok(Limitation { last_day: end, act_by, steps })
}

/// Days in one piece on which a period stands still.
#[derive(Debug, Clone)]
struct Run {
    from: Date,
    to: Option<Date>,
    /// Ends of negotiations in it.
    negotiated_to: Vec<Date>,
}

/// The suspensions as runs that do not overlap, in order; courts' with their six months.
fn suspensions(
    given: &[Suspension],
    steps: &mut Vec<LimitationStep>,
) -> Result<Vec<Run>, LimitationError> {
    let mut given = given.to_vec();
    given.sort_unstable_by_key(|suspension| suspension.from);
    let mut runs: Vec<Run> = Vec::new();
    for Suspension { from, to, ground } in given {
        if let Some(to) = to
            && to < from
        {
            return Err(LimitationError::EndsBeforeItStarts { from, to });
        }
        let until = match (ground, to) {
            (SuspensionGround::Court, Some(ended_on)) => {
                let to = months_later(ended_on, 6);
                steps.push(LimitationStep::SixMonthsMore { ended_on, to });
                Some(to)
            }
            _ => to,
        };
        let negotiated_to = to.filter(|_| ground == SuspensionGround::Negotiation);
        match runs.last_mut().filter(|run| run.to.is_none_or(|end| from <= end)) {
            Some(run) => {
                run.to = run.to.zip(until).map(|(one, other)| one.max(other));
                run.negotiated_to.extend(negotiated_to);
            }
            None => {
                runs.push(Run { from, to: until, negotiated_to: Vec::from_iter(negotiated_to) });
            }
        }
    }
    Ok(runs)
}

/// Where a period ends that would end on `last_day` without `runs`; `None` while one goes on.
fn extended(
    first_day: Date,
    mut last_day: Date,
    runs: &[Run],
    steps: &mut Vec<LimitationStep>,
) -> Option<Date> {
    for run in runs {
        let from = run.from.max(first_day);
        if let Some(to) = run.to
            && to < first_day
        {
            steps.push(LimitationStep::SuspendedTooEarly { from: run.from, to, first_day });
        } else if from > last_day {
            steps.push(LimitationStep::SuspendedTooLate { from, last_day });
            continue;
        } else {
            let Some(to) = run.to else {
                steps.push(LimitationStep::StandsStill { from });
                return None;
            };
            let days = (to - from).get_days() + 1;
            last_day = last_day.saturating_add(days.days());
            steps.push(LimitationStep::Suspended { from, to, days, last_day });
        }
        for &ended_on in &run.negotiated_to {
            let at_least = months_later(ended_on, 3);
            if last_day < at_least {
                last_day = at_least;
                steps.push(LimitationStep::NotBefore { ended_on, last_day });
            }
        }
    }
    Some(last_day)
}

fn next_day(day: Date) -> Date {
    day.tomorrow().unwrap_or(day)
}

/// Same number of day, or the month's last where it has none such (§ 188 (2), (3) BGB).
fn months_later(day: Date, months: i32) -> Date {
    day.saturating_add(months.months())
}

fn years_later(day: Date, years: i32) -> Date {
    day.saturating_add(years.years())
}

#[cfg(test)]
mod tests;
