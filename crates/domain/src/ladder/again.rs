//! What comes again before a handoff. Whoever has paid thinks no more of it: where the money goes
//! back (a returned debit, a chargeback, a refund) or is assigned to another claim or account, they
//! hear what is open, and have until a deadline, before the claim leaves the house.
//!
//! No step of its own is needed for that. The last demand that the claim has taken says it, with
//! the amounts and the deadline of that day; the handoff waits for the new deadline, and counts
//! from the new day where it counts from that step. It costs nothing.

use super::Ladder;
use crate::{book::WentBack, claim::StepTaken, policy::*};

impl<'a> Ladder<'_, 'a> {
    /// Money that had paid the claim and went back, where no message has told the rest since.
    pub(super) fn untold(&self) -> Option<&WentBack<'a>> {
        let of_claim = |back: &&WentBack<'_>| back.claims.contains(self.column.invoice);
        let mut back = self.case.went_back().iter().filter(of_claim);
        back.find(|back| !self.column.claim.steps.iter().any(|taken| self.tells(taken, back)))
    }

    /// Whether a message told what is open once the money had gone back, and by when to pay it: by
    /// a deadline, or by the days that the ladder leaves after the step that would come again. Where
    /// none can, a person tells it, and says which demand that stands for.
    fn tells(&self, taken: &StepTaken, back: &WentBack<'_>) -> bool {
        let Some(notice) = &taken.notice else { return false };
        // What left in the same moment had been decided before if it names less than is open.
        let since = back.is_before(taken.at, &self.case.rules.creditor.zone);
        // What another sender's message named we do not know: it stands for the step.
        let ours = self.case.account.notices.get(notice);
        let named = ours.is_none_or(|ours| {
            let mut parts = ours.decided.claims.iter();
            let part = parts.find(|part| part.invoice == *self.column.invoice);
            part.is_some_and(|part| part.principal >= self.column.outstanding)
        });
        let would_come_again = || match self.comes_again(self.steps().len()) {
            Some(again) => self.steps().get(again).is_some_and(|step| step.name == taken.step),
            None => {
                let step = self.steps().iter().find(|step| step.name == taken.step);
                ours.is_none() && step.is_some_and(|step| demand(step).is_some())
            }
        };
        since && named && (taken.deadline.is_some() || would_come_again())
    }

    /// The step that comes again before the handoff at `handoff`: the highest Mahnung that the
    /// claim has taken, or where it has taken none the highest other demand, of those whose
    /// condition holds.
    pub(super) fn comes_again(&self, handoff: usize) -> Option<usize> {
        let taken = self.steps().iter().enumerate().take(handoff).filter(|(_, step)| {
            self.column.claim.took(&step.name)
                && step.when.as_ref().is_none_or(|when| self.holds(when, self.case.today))
        });
        let rank = |(at, step): (usize, &Step)| Some((demand(step)?, at));
        taken.filter_map(rank).max().map(|(_, at)| at)
    }
}

/// Whether a step demands what is open, and if so by a Mahnung.
const fn demand(step: &Step) -> Option<bool> {
    match step.action {
        StepAction::Mahnung => Some(true),
        StepAction::Reminder | StepAction::Offer { .. } => Some(false),
        StepAction::Notice | StepAction::Quiet | StepAction::HandOff { .. } => None,
    }
}
