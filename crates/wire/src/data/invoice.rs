//! Invoices: issue, and the corrections by their issuer.

use kulanz_domain::{
    fact::{Fact, Invoice},
    ids::{CreditId, CreditorId, DebtorId, InvoiceId},
};

use super::{Data, Translation, of_account};
use crate::{leaf::*, member::members, personal::Slot, rejection::Fault};

members! {
    /// An invoice was issued; its claim carries the same id.
    pub struct InvoiceIssued {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Names the document and its claim.
        invoice: Id<InvoiceId>,
        /// Day of issue.
        issued_on: Day,
        /// Day by which to pay. May lie before the day of issue.
        due_on: Day,
        /// Gross amount, with the currency's own number of decimals at most.
        amount: Amount,
        /// Currency, ISO 4217.
        currency: Code,
        /// What it is for, as the debtor would recognise it. Personal.
        description: Option<Prose>,
        /// Day of the contract (§ 13a RDG). Where it or `contract_object` was left out, the whole
        /// invoice can be told again with it, by an event of its own.
        contract_on: Option<Day>,
        /// What the contract is about (§ 13a RDG). Personal.
        contract_object: Option<Prose>,
        /// Agreed default interest, percent a year.
        contract_rate: Option<Percent>,
        /// Where the document can be fetched. Personal.
        document_url: Option<WebAddress>,
        /// Day of receipt; absent: three days after issue.
        received_on: Option<Day>,
        /// Both sides agreed the due date (§ 286 (2) no. 1 BGB); absent: no.
        due_date_agreed: Option<Flag>,
        /// The invoice told a consumer about the 30 days of § 286 (3) BGB; absent: no.
        late_payment_notice: Option<Flag>,
        /// What it is for in the sense of § 288 (2) BGB; absent: `goods_services`.
        supply: Option<SupplyWord>,
        /// Consumer credit (§ 497 (3) BGB orders the allocation); absent: no.
        consumer_credit: Option<Flag>,
    }

    /// The principal has become another one. Of several, the greatest (`time`, `id`) wins.
    pub struct InvoiceAdjusted {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// From which day.
        on: Day,
        /// The new principal, not the difference.
        amount: Amount,
        /// Currency, ISO 4217.
        currency: Code,
        /// Why. Personal.
        reason: Prose,
    }

    /// Gutschrift: part of an invoice is credited.
    pub struct InvoiceCredited {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// Names the credit note.
        credit: Id<CreditId>,
        /// Day of the credit note.
        on: Day,
        /// Gross amount.
        amount: Amount,
        /// Currency, ISO 4217.
        currency: Code,
        /// Why. Personal.
        reason: Prose,
    }

    /// The invoice is void: nothing of it is owed.
    pub struct InvoiceCancelled {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// From which day.
        on: Day,
        /// Why. Personal.
        reason: Prose,
    }

    /// The invoice is due on another day. Of several, the greatest (`time`, `id`) wins.
    pub struct InvoiceRescheduled {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who owes.
        debtor: Id<DebtorId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// The new day by which to pay.
        due_on: Day,
        /// Why. Personal.
        reason: Prose,
    }
}

impl Data for InvoiceIssued {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let invoice = self.invoice.0;
        let amount = self.amount.of(self.currency).map_err(|why| Fault::new("amount", why))?;
        let mut slot = Slot::default();
        slot.put_some("description", self.description.map(|text| text.0));
        slot.put_some("contract_object", self.contract_object.map(|text| text.0));
        slot.put_some("document_url", self.document_url.map(|url| url.0));
        let contract_object_known = slot.has("contract_object");
        slot.seal(|| format!("invoice/{invoice}"), &mut translation.secrets);
        Ok(Fact::InvoiceIssued {
            invoice: Invoice {
                invoice,
                issued_on: self.issued_on.0,
                due_on: self.due_on.0,
                amount,
                contract_on: self.contract_on.map(|day| day.0),
                contract_object_known,
                contract_rate: self.contract_rate.map(|rate| rate.0),
                received_on: self.received_on.map(|day| day.0),
                due_date_agreed: is_set(self.due_date_agreed),
                late_payment_notice: is_set(self.late_payment_notice),
                supply: self.supply.map(|word| word.0).unwrap_or_default(),
                consumer_credit: is_set(self.consumer_credit),
            },
        })
    }
}

/// Seals a reason that stands alone in its slot.
pub(super) fn seal_reason(slot: &str, id: &InvoiceId, reason: Prose, to: &mut Translation<'_>) {
    let mut texts = Slot::default();
    texts.put("reason", reason.0);
    texts.seal(|| format!("{slot}/{id}"), &mut to.secrets);
}

impl Data for InvoiceAdjusted {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let invoice = self.invoice.0;
        let amount = self.amount.of(self.currency).map_err(|why| Fault::new("amount", why))?;
        seal_reason("adjust", &invoice, self.reason, translation);
        Ok(Fact::InvoiceAdjusted { invoice, on: self.on.0, amount })
    }
}

impl Data for InvoiceCredited {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let credit = self.credit.0;
        let amount = self.amount.of(self.currency).map_err(|why| Fault::new("amount", why))?;
        let mut slot = Slot::default();
        slot.put("reason", self.reason.0);
        slot.seal(|| format!("credit/{credit}"), &mut translation.secrets);
        Ok(Fact::InvoiceCredited { invoice: self.invoice.0, credit, on: self.on.0, amount })
    }
}

impl Data for InvoiceCancelled {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let invoice = self.invoice.0;
        seal_reason("cancel", &invoice, self.reason, translation);
        Ok(Fact::InvoiceCancelled { invoice, on: self.on.0 })
    }
}

impl Data for InvoiceRescheduled {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let invoice = self.invoice.0;
        seal_reason("reschedule", &invoice, self.reason, translation);
        Ok(Fact::InvoiceRescheduled { invoice, due_on: self.due_on.0 })
    }
}
