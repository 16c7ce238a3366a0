//! Money that banks sent back, as messages tell of it.

use jiff::{civil::Date, tz::TimeZone};

use crate::{account::Account, book::Book, ids::InvoiceId, money::Currency};

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
            let steps = self.claims.get(invoice).map_or(&[][..], |claim| &claim.steps);
            let sent = || steps.iter().filter(|taken| taken.notice.is_some());
            let of_claim = returned.iter().filter(|back| back.claims.contains(invoice));
            let unsaid =
                of_claim.filter(|back| !sent().any(|taken| back.is_before(taken.at, zone)));
            unsaid.map(|back| back.on).max()
        };
        invoices.into_iter().filter_map(unsaid).max()
    }
}
