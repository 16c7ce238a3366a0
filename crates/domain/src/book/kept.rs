//! What was computed of an account's books, kept with it.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::sheet::Sheet;
use crate::{account::Account, event::AccountEvent, fact::Receipt, money::Currency};

/// The sheets of an account, computed when they are first asked for. No part of its state: it
/// follows from the rest, is not stored, and makes no two accounts differ.
///
/// **Invariant:** it is what [`Sheet::all`] would say now. [`Account::apply_event`] is the one
/// way in which an account changes, and lets go of the sheets by [`Account::forget_books`]; debug
/// builds compare before and after each command. A look back at an account sets what was settled
/// and how payments were used itself: books are not computed from these.
#[derive(Clone, Default)]
pub(crate) struct Kept(OnceLock<Arc<[Sheet]>>);

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "kept" } else { "not computed" })
    }
}

impl Account {
    pub(super) fn sheets(&self) -> &[Sheet] {
        self.books.0.get_or_init(|| Sheet::all(self).into())
    }

    /// Those of the books, where they are kept: what changes them touches the books.
    pub(crate) fn currencies_of_books(&self) -> Option<Vec<Currency>> {
        let kept = self.books.0.get()?;
        Some(kept.iter().map(|sheet| sheet.currency).collect())
    }

    /// Whether the books that are kept, if any, are those that would be computed now.
    pub(crate) fn books_are_fresh(&self) -> bool {
        self.books.0.get().is_none_or(|kept| **kept == *Sheet::all(self))
    }

    /// Lets go of the books: they take as much memory as all the rest of an account, and whoever
    /// needs them computes them again.
    pub fn let_go_of_books(&mut self) {
        self.books = Kept::default();
    }

    /// Lets go of the books where `event` touches what they are computed from.
    pub(crate) fn forget_books(&mut self, event: &AccountEvent) {
        let touched = match touches(event) {
            Touch::Nothing => false,
            Touch::Interest => !self.interest.is_empty(),
            Touch::Money => true,
        };
        if touched {
            self.books = Kept::default();
        }
    }
}

/// Whether an event changes what the books of an account are computed from, be it on which days
/// interest runs.
pub(crate) fn touches_books(event: &AccountEvent) -> bool {
    !matches!(touches(event), Touch::Nothing)
}

/// What of the books' ground an event changes.
enum Touch {
    Nothing,
    /// Only on which days interest runs: nothing where no policy ever claimed any.
    Interest,
    Money,
}

/// Each event is named, so that a new one has to find its place.
fn touches(event: &AccountEvent) -> Touch {
    use AccountEvent as E;
    match event {
        E::InvoiceIssued { .. }
        | E::InvoiceCompleted { .. }
        | E::InvoiceAdjusted { .. }
        | E::InvoiceCredited { .. }
        | E::InvoiceCancelled { .. }
        | E::InvoiceRescheduled { .. }
        | E::GivenUp { .. }
        | E::DisputeOpened { .. }
        | E::DisputeResolved { .. }
        | E::PaymentReceived { .. }
        | E::PaymentReturned { .. }
        | E::PaymentRefunded { .. }
        | E::PaymentAssigned { .. }
        | E::FeeCharged { .. }
        | E::FeeReversed { .. }
        | E::InterestTermsSet(_)
        | E::BaseRatesTaken { .. } => Touch::Money,
        E::DebtorUpdated { .. }
        | E::InsolvencyOpened { .. }
        | E::DebtorDeceased { .. }
        | E::DefaultDeclared { .. }
        | E::DefaultBegins { .. }
        | E::NoticeReceipt { receipt: Receipt::Bounced, .. }
        | E::PromiseMade { .. }
        | E::PromiseKept { .. }
        | E::PromiseBroken { .. }
        | E::PromiseResumed { .. }
        | E::PlanAgreed { .. }
        | E::PlanCompleted { .. }
        | E::PlanBroken { .. }
        | E::PlanResumed { .. }
        | E::OverrideSet(_)
        | E::OverrideLifted { .. } => Touch::Interest,
        E::HoldPlaced { .. }
        | E::HoldReleased { .. }
        | E::HelpUnanswered { .. }
        | E::Acknowledged { .. }
        | E::Suspended { .. }
        | E::Titled { .. }
        | E::PaymentFailed { .. }
        | E::PaymentAllocated { .. }
        | E::Reallocated { .. }
        | E::ClaimSettled { .. }
        | E::ClaimReopened { .. }
        | E::LimitationNear { .. }
        | E::PolicyMet { .. }
        | E::ClaimHeldBack { .. }
        | E::ClaimAdmitted { .. }
        | E::ContractApproved { .. }
        | E::ReopeningUntold { .. }
        | E::NoticeDecided(_)
        | E::NoticeSent { .. }
        | E::NoticeSuppressed { .. }
        | E::NoticeParked { .. }
        | E::NoticeDiscarded { .. }
        | E::NoticeReceipt { .. }
        | E::NoticeWasWrong { .. }
        | E::ReminderReported { .. }
        | E::StepTaken { .. }
        | E::DeliveryStopped { .. }
        | E::DeliveryResumed { .. }
        | E::HandoffDue { .. }
        | E::HandoffFieldsChanged { .. }
        | E::PlacementApproved { .. }
        | E::PlacementReleased { .. }
        | E::HandoffWithdrawn { .. }
        | E::PlacementRecalled { .. }
        | E::PlacementReported { .. }
        | E::AccountErased { .. } => Touch::Nothing,
    }
}
