//! The accounts that a batch touches, and the traces that this belongs to.
//!
//! A batch serves many traces at once. Each trace gets spans of its own for the decision and for the
//! append, not one span of the batch that links to them all: a trace is read by itself, and whoever
//! reads it asks when *this* became durable.

use kulanz_domain::ids::AccountId;
use kulanz_store::{Append, Outcome, QuickMap, QuickSet};
use tracing::{Span, field::Empty, info_span};

use crate::trace::{self, TraceContext};

#[derive(Default)]
pub(super) struct Touched {
    /// To be decided upon.
    pub(super) accounts: QuickSet<AccountId>,
    /// What is traced of it.
    pub(super) traces: Traces,
}

/// By account the kept spans that are behind what a batch does to it; none where its decision begins
/// a trace.
#[derive(Default)]
pub(super) struct Traces(QuickMap<AccountId, Vec<TraceContext>>);

impl Touched {
    /// Something happened to an account.
    pub(super) fn insert(&mut self, account: &AccountId, cause: Option<TraceContext>) {
        self.accounts.insert(account.clone());
        self.traces.insert(account, cause);
    }

    /// The wake-up of an account is due: nothing is behind that, so it begins a trace.
    pub(super) fn wake(&mut self, account: AccountId) {
        if trace::begins() {
            self.traces.0.entry(account.clone()).or_default();
        }
        self.accounts.insert(account);
    }
}

impl Traces {
    /// Something is written of an account because of a span.
    pub(super) fn insert(&mut self, account: &AccountId, cause: Option<TraceContext>) {
        let Some(cause) = cause else { return };
        let causes = self.0.entry(account.clone()).or_default();
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }

    /// The span of a decision, in the first of its traces; `None` where none is kept. What it decides
    /// is told by [`Decision::end`].
    pub(super) fn decision(&mut self, account: &AccountId) -> Option<Decision> {
        if self.0.is_empty() {
            return None;
        }
        let causes = self.0.get_mut(account)?;
        let span = info_span!(
            parent: None, "engine.decide", %account, cause = Empty, events = Empty, kinds = Empty
        );
        let span = match causes.split_first() {
            Some((first, others)) => {
                let span = first.adopt(span);
                others.iter().for_each(|other| trace::link(&span, *other));
                span.record("cause", "fact");
                span
            }
            None => {
                span.record("cause", "wake_up");
                // The append belongs to it too.
                causes.extend(trace::context(&span));
                span
            }
        };
        let context = trace::context(&span);
        Some(Decision { span, context })
    }

    /// A span for each trace that an append belongs to, with the append's place.
    pub(super) fn appends(&self, appends: &[Append]) -> Vec<(usize, Span)> {
        let mut spans = Vec::new();
        if self.0.is_empty() {
            return spans;
        }
        let batch = appends.len();
        for (place, append) in appends.iter().enumerate() {
            let (account, events) = (&append.account, append.events.len());
            for cause in self.0.get(account).into_iter().flatten() {
                let span = info_span!(
                    parent: None, "engine.append", %account, events, batch, outcome = Empty,
                    position = Empty
                );
                spans.push((place, cause.adopt(span)));
            }
        }
        spans
    }
}

/// A decision that is traced.
pub(super) struct Decision {
    span: Span,
    /// What the messages that are decided upon belong to.
    pub(super) context: Option<TraceContext>,
}

impl Decision {
    /// Says what was decided.
    pub(super) fn end(self, kinds: &[&'static str]) {
        self.span.record("events", kinds.len());
        self.span.record("kinds", kinds.join(","));
    }
}

/// Says how appends ended; there are no `outcomes` where nobody knows.
pub(super) fn ended(spans: Vec<(usize, Span)>, outcomes: Option<&[Outcome]>) {
    for (place, span) in spans {
        let outcome = match outcomes.and_then(|outcomes| outcomes.get(place)) {
            Some(Outcome::Committed { last_position }) => {
                span.record("position", *last_position);
                "committed"
            }
            Some(Outcome::Conflict) => "conflict",
            Some(Outcome::AlreadyRecorded(_)) => "recorded_before",
            Some(Outcome::NotHeld(_)) => "overtaken",
            Some(Outcome::AlreadyAnswered(_)) => "answered_before",
            None => "failed",
        };
        span.record("outcome", outcome);
    }
}
