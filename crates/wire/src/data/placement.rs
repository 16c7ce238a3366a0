//! What a collection agency reports of a placement.

use kulanz_domain::{
    fact::{Fact, PlacementReport},
    ids::{AgencyId, CreditorId, DebtorId, InvoiceId, PaymentId, PlacementId},
};

use super::{Data, Translation, of_account};
use crate::{
    kind::EventType,
    leaf::*,
    member::members,
    personal::{Slot, published},
    rejection::Fault,
};

/// States that facts name; others count as `other`.
const STATES: [&str; 11] = [
    "court",
    "debtor_moved",
    "deceased",
    "disputed",
    "enforcement",
    "insolvent",
    "instalments",
    "paused",
    "promise",
    "titled",
    "unreachable",
];

members! {
    /// An agency took a placement on, refused it, or closed it.
    pub struct PlacementMoved {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which placement.
        placement: Id<PlacementId>,
        /// Which agency.
        agency: Id<AgencyId>,
        /// Only this claim; absent: all of the placement.
        invoice: Option<Id<InvoiceId>>,
        /// Day.
        on: Day,
        /// The agency's words. Personal.
        reason: Option<Prose>,
    }

    /// An agency reports money.
    pub struct PlacementPaymentReceived {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who paid.
        debtor: Id<DebtorId>,
        /// Which placement.
        placement: Id<PlacementId>,
        /// Which agency.
        agency: Id<AgencyId>,
        /// Which claim, where that is known.
        invoice: Option<Id<InvoiceId>>,
        /// Day of the payment.
        on: Day,
        /// The agency's words. Personal.
        reason: Option<Prose>,
        /// Names the payment; it counts as one of the account under this id.
        payment: Id<PaymentId>,
        /// Gross amount.
        amount: Amount,
        /// Currency, ISO 4217.
        currency: Code,
        /// Who holds the money.
        paid_to: PaidToWord,
        /// What of it was counted for costs, interest and principal.
        split: Option<Split>,
    }

    /// Shares of a payment, in its currency.
    pub struct Split {
        /// Costs.
        costs: Amount,
        /// Interest.
        interest: Amount,
        /// Principal.
        principal: Amount,
    }

    /// An agency reports how a placement stands.
    pub struct PlacementStatus {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which placement.
        placement: Id<PlacementId>,
        /// Which agency.
        agency: Id<AgencyId>,
        /// Only this claim; absent: all of the placement.
        invoice: Option<Id<InvoiceId>>,
        /// Day.
        on: Day,
        /// The agency's words. Personal.
        reason: Option<Prose>,
        /// `debtor_moved`, `instalments`, `disputed`, `insolvent`, `deceased`, `court`,
        /// `titled`, `enforcement`, `paused`, `promise` or `unreachable`; any other text is
        /// treated as personal and counts as `other`.
        state: Line,
        /// More of it. Personal.
        detail: Option<Prose>,
    }
}

impl Data for PlacementMoved {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let placement = self.placement.0;
        let mut slot = Slot::default();
        slot.put_some("reason", self.reason.map(|text| text.0));
        slot.seal(|| format!("placement/{placement}"), &mut translation.secrets);
        Ok(Fact::PlacementReported {
            placement,
            agency: self.agency.0,
            invoice: self.invoice.map(|invoice| invoice.0),
            on: self.on.0,
            report: match translation.kind {
                EventType::PlacementAccepted => PlacementReport::Accepted,
                EventType::PlacementRejected => PlacementReport::Rejected,
                _ => PlacementReport::Closed,
            },
        })
    }
}

impl Data for PlacementPaymentReceived {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let (placement, currency) = (self.placement.0, self.currency);
        let amount = self.amount.of(currency).map_err(|why| Fault::new("amount", why))?;
        let split = match self.split {
            None => None,
            Some(Split { costs, interest, principal }) => {
                let share = |part: Amount| part.of(currency).map(|money| money.amount);
                let shares = (|| Ok([share(costs)?, share(interest)?, share(principal)?]))();
                Some(shares.map_err(|why| Fault { member: "split", sentence: why })?)
            }
        };
        let mut slot = Slot::default();
        slot.put_some("reason", self.reason.map(|text| text.0));
        slot.seal(|| format!("placement/{placement}"), &mut translation.secrets);
        Ok(Fact::PlacementReported {
            placement,
            agency: self.agency.0,
            invoice: self.invoice.map(|invoice| invoice.0),
            on: self.on.0,
            report: PlacementReport::PaymentReceived {
                payment: self.payment.0,
                amount,
                paid_to_creditor: self.paid_to.0,
                split,
            },
        })
    }
}

impl Data for PlacementStatus {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let placement = self.placement.0;
        let mut slot = Slot::default();
        let state = published(self.state.0, &STATES, "state", &mut slot);
        slot.put_some("detail", self.detail.map(|text| text.0));
        slot.put_some("reason", self.reason.map(|text| text.0));
        slot.seal(|| format!("placement/{placement}"), &mut translation.secrets);
        Ok(Fact::PlacementReported {
            placement,
            agency: self.agency.0,
            invoice: self.invoice.map(|invoice| invoice.0),
            on: self.on.0,
            report: PlacementReport::Status { state },
        })
    }
}
