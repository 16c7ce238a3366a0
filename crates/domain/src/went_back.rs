//! Money that banks sent back, or that was assigned elsewhere, as messages tell of it.

use std::collections::BTreeMap;

use jiff::{civil::Date, tz::TimeZone};

use crate::{
    account::Account,
    book::{Book, WentBack},
    calendar::day_in,
    ids::InvoiceId,
    money::{Currency, Money},
};

/// A payment that had paid a claim and counts elsewhere since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassigned {
    /// When that was said, in the creditor's zone.
    pub on: Date,
    /// Booking day and amount of the payment, where it is known to be the debtor's own: it counts for
    /// another claim of theirs. Of a payment that is another account's nothing may be told.
    pub own: Option<(Date, Money)>,
}

impl Account {
    /// The last day on which a bank sent money back that had paid one of `invoices`, until a message
    /// about that claim was sent.
    pub fn went_back_unsaid<'i>(
        &self,
        currency: Currency,
        invoices: impl IntoIterator<Item = &'i InvoiceId>,
        zone: &TimeZone,
    ) -> Option<Date> {
        let returned = Book::returned(self, currency);
        if returned.is_empty() {
            return None;
        }
        let unsaid = |invoice: &InvoiceId| {
            let of_claim = returned.iter().filter(|back| self.is_unsaid(back, invoice, zone));
            of_claim.map(|back| back.on).max()
        };
        invoices.into_iter().filter_map(unsaid).max()
    }

    /// The last payment that had paid one of `invoices` and was assigned to another claim or account,
    /// until a message about that claim was sent. None that counts for the claim again.
    pub fn reassigned_unsaid<'i>(
        &self,
        currency: Currency,
        invoices: impl IntoIterator<Item = &'i InvoiceId>,
        zone: &TimeZone,
    ) -> Option<Reassigned> {
        let reassigned = Book::reassigned(self, currency);
        if reassigned.is_empty() {
            return None;
        }
        let unsaid = |invoice: &'i InvoiceId| {
            let of_claim =
                reassigned.iter().filter(move |(_, one)| self.is_unsaid(one, invoice, zone));
            of_claim.map(move |(at, one)| (*at, one.payment, invoice))
        };
        let (at, payment, invoice) = invoices.into_iter().flat_map(unsaid).max()?;
        let payment = self.payments.get(payment)?;
        let other = payment.assigned_claim.as_ref().is_some_and(|claim| claim != invoice);
        let own = payment.received.as_ref().filter(|_| other && payment.assigned_to.is_none());
        let own = own.map(|received| (received.booked_on, received.amount));
        Some(Reassigned { on: day_in(at, zone), own })
    }

    /// Claims for which payments counted that count elsewhere since, each with the day on which that
    /// was said last; whether a message told it or not.
    pub fn reassigned(&self, currency: Currency, zone: &TimeZone) -> BTreeMap<InvoiceId, Date> {
        let mut all = Book::reassigned(self, currency);
        all.sort_by_key(|(at, _)| *at);
        let claims = all.into_iter().flat_map(|(at, one)| {
            one.claims.into_iter().map(move |claim| (claim, day_in(at, zone)))
        });
        claims.collect()
    }

    /// Whether money had paid a claim, and no message about that left since it is gone.
    fn is_unsaid(&self, back: &WentBack<'_>, invoice: &InvoiceId, zone: &TimeZone) -> bool {
        let steps = self.claims.get(invoice).map_or(&[][..], |claim| &claim.steps);
        let mut sent = steps.iter().filter(|taken| taken.notice.is_some());
        back.claims.contains(invoice) && !sent.any(|taken| back.is_before(taken.at, zone))
    }
}
