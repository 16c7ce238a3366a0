//! What the engine counts of itself: events of `tracing` that whoever runs it makes metrics of. Where
//! nobody does, they cost a look at a flag.

use std::time::Duration;

use jiff::SignedDuration;
use kulanz_store::Outcome;
use tracing::{Level, event};

/// A batch was written, or was not where there are no `outcomes`.
pub(crate) fn batch(appends: usize, took: Duration, outcomes: Option<&[Outcome]>) {
    event!(target: "metric", Level::TRACE, histogram.kulanz_batch_appends = appends as u64);
    let seconds = took.as_secs_f64();
    event!(target: "metric", Level::TRACE, histogram.kulanz_commit_seconds = seconds);
    let Some(outcomes) = outcomes else { return ended("failed", appends) };
    let of = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|one| wanted(one)).count();
    ended("committed", of(|outcome| matches!(outcome, Outcome::Committed { .. })));
    ended("conflict", of(|outcome| matches!(outcome, Outcome::Conflict)));
    ended("recorded_before", of(|outcome| matches!(outcome, Outcome::AlreadyRecorded(_))));
    ended("overtaken", of(|outcome| matches!(outcome, Outcome::NotHeld(_))));
    ended("answered_before", of(|outcome| matches!(outcome, Outcome::AlreadyAnswered(_))));
}

fn ended(outcome: &'static str, appends: usize) {
    if appends > 0 {
        let number = appends as u64;
        event!(target: "metric", Level::TRACE, monotonic_counter.kulanz_appends = number, outcome);
    }
}

/// So many accounts were decided upon.
pub(crate) fn decided(accounts: usize) {
    let number = accounts as u64;
    event!(target: "metric", Level::TRACE, monotonic_counter.kulanz_decisions = number);
}

/// A wake-up was taken so long after its moment.
pub(crate) fn woken(late: SignedDuration) {
    let seconds = late.as_secs_f64().max(0.0);
    event!(target: "metric", Level::TRACE, histogram.kulanz_wake_up_late_seconds = seconds);
}
