//! Disputes (Einwände) of a claim.

use kulanz_domain::{
    fact::{DisputeOutcome, Fact},
    ids::{CreditorId, DebtorId, DisputeId, InvoiceId},
};

use super::{Data, Translation, of_account};
use crate::{leaf::*, member::members, personal::Slot, rejection::Fault};

members! {
    /// The debtor disagrees with a claim, or with part of it.
    pub struct DisputeOpened {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Names the dispute, so that it can be resolved.
        dispute: Id<DisputeId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// Day on which it was raised.
        on: Day,
        /// Disputed amount in the claim's currency; absent: all of it.
        amount: Option<Amount>,
        /// What the debtor says. Personal.
        reason: Prose,
    }

    /// The end of a dispute. May arrive before its beginning.
    pub struct DisputeResolved {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which dispute.
        dispute: Id<DisputeId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// Day of the answer.
        on: Day,
        /// `upheld`: the debtor was right; `rejected`: all is owed; `partly`: `amount` is.
        outcome: OutcomeWord,
        /// What remains owed of the disputed amount; must be there for `partly`.
        amount: Option<Amount>,
    }
}

impl Data for DisputeOpened {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let dispute = self.dispute.0;
        let mut slot = Slot::default();
        slot.put("reason", self.reason.0);
        slot.seal(|| format!("dispute/{dispute}"), &mut translation.secrets);
        Ok(Fact::DisputeOpened {
            dispute,
            invoice: self.invoice.0,
            on: self.on.0,
            amount: self.amount.map(|amount| amount.0),
        })
    }
}

impl Data for DisputeResolved {
    of_account!();

    fn fact(self, _: &mut Translation<'_>) -> Result<Fact, Fault> {
        let outcome = self.outcome.0;
        if outcome == DisputeOutcome::Partly && self.amount.is_none() {
            return Err(Fault::new("amount", "is missing: `partly` needs what remains owed"));
        }
        Ok(Fact::DisputeResolved {
            dispute: self.dispute.0,
            invoice: self.invoice.0,
            on: self.on.0,
            outcome,
            amount: self.amount.map(|amount| amount.0),
        })
    }
}
