//! Money that came, went back, or did not come.

use kulanz_domain::{
    fact::Fact,
    ids::{CreditorId, DebtorId, InvoiceId, PaymentId},
};

use super::{Data, Translation, of_account, of_account_or_unmatched};
use crate::{
    leaf::*,
    member::members,
    personal::{Slot, code, published},
    rejection::Fault,
};

/// Methods that facts name; others count as `other`.
const METHODS: [&str; 13] = [
    "apple_pay",
    "card",
    "cash",
    "cheque",
    "direct_debit",
    "google_pay",
    "instalment",
    "klarna",
    "offset",
    "paypal",
    "sepa_debit",
    "transfer",
    "voucher",
];

members! {
    /// Money was booked.
    pub struct PaymentReceived {
        /// Who got it.
        creditor: Id<CreditorId>,
        /// Who paid; may be left out where the subject is `creditor/_unmatched`.
        debtor: Option<Id<DebtorId>>,
        /// The payment as the bank or the provider names it.
        payment: Id<PaymentId>,
        /// Day of the booking.
        booked_on: Day,
        /// Amount.
        amount: Amount,
        /// Currency, ISO 4217.
        currency: Code,
        /// `transfer`, `card`, `paypal`, `sepa_debit`, `direct_debit`, `cash`, `cheque`,
        /// `klarna`, `apple_pay`, `google_pay`, `instalment`, `voucher` or `offset`; any other
        /// text is treated as personal and counts as `other`.
        method: Line,
        /// What it was meant for, where that is known.
        invoice: Option<Id<InvoiceId>>,
        /// Verwendungszweck, as the payer wrote it. Personal.
        remittance: Option<Prose>,
        /// Who paid. Personal.
        payer_name: Option<Line>,
        /// From which account, as the bank gives it. Personal.
        payer_iban: Option<Line<64>>,
    }

    /// A payment was taken back, such as a returned direct debit. May arrive before the payment.
    pub struct PaymentReturned {
        /// Who had got it.
        creditor: Id<CreditorId>,
        /// Who had paid; may be left out where the subject is `creditor/_unmatched`.
        debtor: Option<Id<DebtorId>>,
        /// Which payment.
        payment: Id<PaymentId>,
        /// Day of the return.
        on: Day,
        /// In the payment's currency; absent: all of it.
        amount: Option<Amount>,
        /// ISO 20022 reason code such as AC04, AM04, MD06 or MS02; any other text is treated as
        /// personal and counts as `other`.
        reason: Line,
        /// What the bank charged for the return, in the payment's currency.
        fee: Option<Amount>,
    }

    /// The creditor paid money back.
    pub struct PaymentRefunded {
        /// Who paid it back.
        creditor: Id<CreditorId>,
        /// Who had paid; may be left out where the subject is `creditor/_unmatched`.
        debtor: Option<Id<DebtorId>>,
        /// Which payment.
        payment: Id<PaymentId>,
        /// Day of the refund.
        on: Day,
        /// Amount.
        amount: Amount,
        /// Currency, ISO 4217.
        currency: Code,
    }

    /// An attempt to pay failed before any money moved.
    pub struct PaymentFailed {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who tried to pay.
        debtor: Id<DebtorId>,
        /// Names the attempt.
        attempt: Id<PaymentId>,
        /// Which invoice.
        invoice: Id<InvoiceId>,
        /// Day of the attempt.
        on: Day,
        /// As in `payment.received`.
        method: Line,
        /// ISO 20022 reason code; any other text is treated as personal and counts as `other`.
        reason: Line,
    }

    /// A payment moves to the account it belongs to, in one transaction.
    pub struct PaymentAssigned {
        /// Who got the money.
        creditor: Id<CreditorId>,
        /// Where it is booked now; may be left out where the subject is `creditor/_unmatched`.
        debtor: Option<Id<DebtorId>>,
        /// Which payment.
        payment: Id<PaymentId>,
        /// The account it belongs to, of the same creditor.
        to: AccountRef,
        /// What it was meant for, where that is known.
        invoice: Option<Id<InvoiceId>>,
    }
}

impl Data for PaymentReceived {
    of_account_or_unmatched!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let payment = self.payment.0;
        let amount = self.amount.of(self.currency).map_err(|why| Fault::new("amount", why))?;
        let mut slot = Slot::default();
        let method = published(self.method.0, &METHODS, "method", &mut slot);
        slot.put_some("remittance", self.remittance.map(|text| text.0));
        slot.put_some("payer_name", self.payer_name.map(|name| name.0));
        slot.put_some("payer_iban", self.payer_iban.map(|iban| iban.0));
        slot.seal(|| format!("payment/{payment}"), &mut translation.secrets);
        Ok(Fact::PaymentReceived {
            payment,
            booked_on: self.booked_on.0,
            amount,
            method,
            invoice: self.invoice.map(|invoice| invoice.0),
        })
    }
}

impl Data for PaymentReturned {
    of_account_or_unmatched!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let payment = self.payment.0;
        let mut slot = Slot::default();
        let reason = code(self.reason.0, "reason", &mut slot);
        slot.seal(|| format!("payment/{payment}/return"), &mut translation.secrets);
        Ok(Fact::PaymentReturned {
            payment,
            on: self.on.0,
            amount: self.amount.map(|amount| amount.0),
            reason,
            fee: self.fee.map(|fee| fee.0),
        })
    }
}

impl Data for PaymentRefunded {
    of_account_or_unmatched!();

    fn fact(self, _: &mut Translation<'_>) -> Result<Fact, Fault> {
        let amount = self.amount.of(self.currency).map_err(|why| Fault::new("amount", why))?;
        Ok(Fact::PaymentRefunded { payment: self.payment.0, on: self.on.0, amount })
    }
}

impl Data for PaymentFailed {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let attempt = self.attempt.0;
        let mut slot = Slot::default();
        let method = published(self.method.0, &METHODS, "method", &mut slot);
        let reason = code(self.reason.0, "reason", &mut slot);
        slot.seal(|| format!("attempt/{attempt}"), &mut translation.secrets);
        Ok(Fact::PaymentFailed {
            attempt: attempt.as_str().to_owned(),
            invoice: self.invoice.0,
            on: self.on.0,
            method,
            reason,
        })
    }
}

impl Data for PaymentAssigned {
    of_account_or_unmatched!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let to = self.to.0;
        if to.creditor != translation.account.creditor {
            return Err(Fault::new("to", "is an account of another creditor"));
        }
        if to == *translation.account {
            return Err(Fault::new("to", "is the account that the payment is booked on"));
        }
        let invoice = self.invoice.map(|invoice| invoice.0);
        Ok(Fact::PaymentAssigned { payment: self.payment.0, to, invoice })
    }
}
