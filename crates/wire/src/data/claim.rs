//! What the law or the creditor's own decision does to a claim.

use kulanz_domain::{
    fact::Fact,
    ids::{CreditorId, DebtorId, InvoiceId},
};

use super::{Data, Translation, invoice::seal_reason, of_account};
use crate::{
    leaf::*,
    member::members,
    personal::{Slot, published},
    rejection::Fault,
};

/// Grounds on which default begins without a Mahnung (§ 286 (2) BGB).
const DEFAULT_GROUNDS: [&str; 5] =
    ["agreed_date", "calendar_period", "refusal", "served_order", "special_reasons"];
/// Grounds on which limitation is suspended (§§ 203 to 208 BGB).
const SUSPENSION_GROUNDS: [&str; 6] = [
    "court_action",
    "force_majeure",
    "insolvency_filing",
    "negotiation",
    "right_to_refuse",
    "served_order",
];

members! {
    /// Default (Verzug) began by law, without a Mahnung.
    pub struct InvoiceDefaultDeclared {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// First day in default.
        from: Day,
        /// `agreed_date`, `calendar_period`, `refusal`, `served_order` or `special_reasons`;
        /// any other text is treated as personal and counts as `other`.
        ground: Line,
    }

    /// The debtor acknowledged the debt: limitation begins anew (§ 212 BGB).
    pub struct InvoiceAcknowledged {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// Day of the acknowledgement.
        on: Day,
    }

    /// Limitation is suspended (Hemmung, §§ 203 to 209 BGB).
    pub struct InvoiceSuspended {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// First day.
        from: Day,
        /// Last day; absent: it lasts.
        to: Option<Day>,
        /// `negotiation`, `court_action`, `served_order`, `insolvency_filing`,
        /// `right_to_refuse` or `force_majeure`; any other text is treated as personal and
        /// counts as `other`.
        ground: Line,
    }

    /// A court's title exists (§ 197 (1) no. 3 BGB).
    pub struct InvoiceTitled {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// Day on which it became final.
        on: Day,
        /// Court and file number. Personal.
        reference: Prose,
    }

    /// The creditor waives all or part of a claim.
    pub struct InvoiceWaived {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// From which day.
        on: Day,
        /// In the claim's currency; absent: all that is open.
        amount: Option<Amount>,
        /// Only of this part; absent: of everything.
        part: Option<PartWord>,
        /// Why. Personal.
        reason: Prose,
    }

    /// The creditor writes off all or part of a claim in the books.
    pub struct InvoiceWrittenOff {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// From which day.
        on: Day,
        /// In the claim's currency; absent: all that is open.
        amount: Option<Amount>,
        /// Only of this part; absent: of everything.
        part: Option<PartWord>,
        /// Why. Personal.
        reason: Prose,
    }
}

impl Data for InvoiceDefaultDeclared {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let invoice = self.invoice.0;
        let mut slot = Slot::default();
        let ground = published(self.ground.0, &DEFAULT_GROUNDS, "ground", &mut slot);
        slot.seal(|| format!("default/{invoice}"), &mut translation.secrets);
        Ok(Fact::DefaultDeclared { invoice, from: self.from.0, ground })
    }
}

impl Data for InvoiceAcknowledged {
    of_account!();

    fn fact(self, _: &mut Translation<'_>) -> Result<Fact, Fault> {
        Ok(Fact::Acknowledged { invoice: self.invoice.0, on: self.on.0 })
    }
}

impl Data for InvoiceSuspended {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let invoice = self.invoice.0;
        if self.to.is_some_and(|to| to.0 < self.from.0) {
            return Err(Fault::new("to", "lies before `from`"));
        }
        let mut slot = Slot::default();
        let ground = published(self.ground.0, &SUSPENSION_GROUNDS, "ground", &mut slot);
        slot.seal(|| format!("suspend/{invoice}"), &mut translation.secrets);
        let (from, to) = (self.from.0, self.to.map(|day| day.0));
        Ok(Fact::Suspended { invoice, from, to, ground })
    }
}

impl Data for InvoiceTitled {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let invoice = self.invoice.0;
        let mut slot = Slot::default();
        slot.put("reference", self.reference.0);
        slot.seal(|| format!("title/{invoice}"), &mut translation.secrets);
        Ok(Fact::Titled { invoice, on: self.on.0 })
    }
}

impl Data for InvoiceWaived {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let invoice = self.invoice.0;
        seal_reason("waive", &invoice, self.reason, translation);
        Ok(Fact::Waived {
            invoice,
            on: self.on.0,
            amount: self.amount.map(|amount| amount.0),
            part: self.part.map(|part| part.0),
        })
    }
}

impl Data for InvoiceWrittenOff {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let invoice = self.invoice.0;
        seal_reason("write-off", &invoice, self.reason, translation);
        Ok(Fact::WrittenOff {
            invoice,
            on: self.on.0,
            amount: self.amount.map(|amount| amount.0),
            part: self.part.map(|part| part.0),
        })
    }
}
