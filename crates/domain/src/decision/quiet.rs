//! Steps that send nothing. They happen on their day, whatever the hour, raise the level and give
//! later steps a day to count from. Nobody hears of them: they cost nothing, begin no default,
//! and count towards no limit of contacts.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    event::AccountEvent,
    ids::*,
    policy::{PolicyRef, Step, StepAction},
};

/// A step that sends nothing, and that is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuietStep {
    /// Which.
    pub step: StepName,
    /// To these claims.
    pub claims: Vec<InvoiceId>,
    /// Persona at that time: conditions of steps read it.
    pub persona: PersonaName,
    /// By which policy.
    pub policy: PolicyRef,
}

impl QuietStep {
    /// That it happens at `at`.
    pub(crate) fn happens(self, at: Timestamp) -> AccountEvent {
        let Self { step, claims, persona, policy } = self;
        AccountEvent::StepTaken { step, claims, persona, policy, at }
    }
}

impl Step {
    /// Whether it sends nothing and hands nothing off.
    pub const fn is_quiet(&self) -> bool {
        matches!(self.action, StepAction::Quiet)
    }
}
