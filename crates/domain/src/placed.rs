//! What an agency has to know of a placement that it has: what is open of its claims by now, of
//! what kind the changes were.
//!
//! One answer for every way in which agencies are told, so that none is silent on what another
//! one tells. It has no day: interest that only grows is no news.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, Placement},
    book::{Book, ClaimBook},
    ids::InvoiceId,
    money::{Currency, Decimal, plain},
};

/// A placement by the creditor's books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementNow {
    /// Its claims in the order of their ids, also those of which nothing is open any more.
    pub claims: Vec<ClaimNow>,
}

/// A claim of it. All amounts are totals since it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimNow {
    /// Claim.
    pub invoice: InvoiceId,
    /// Currency of the amounts.
    pub currency: Currency,
    /// As invoiced or adjusted.
    pub principal: Decimal,
    /// Credit notes.
    pub credited: Decimal,
    /// Taken off by disputes.
    pub remitted: Decimal,
    /// Waived.
    pub waived: Decimal,
    /// Written off.
    pub written_off: Decimal,
    /// Paid, all parts.
    pub paid: Decimal,
    /// Fees charged.
    pub fees_charged: Decimal,
    /// Interest paid, waived or written off.
    pub interest_settled: Decimal,
    /// Interest charged up to the day that the placement told it for.
    pub interest_charged: Decimal,
    /// Principal still owed.
    pub open_principal: Decimal,
    /// Fees still owed.
    pub open_fees: Decimal,
}

impl PlacementNow {
    /// By the books of `account` as they are.
    pub fn of(account: &Account, placement: &Placement) -> Self {
        let mut claims = Vec::with_capacity(placement.claims.len());
        for book in Book::all(account) {
            let columns = placement.claims.iter().filter_map(|invoice| book.claim(invoice));
            claims.extend(columns.map(|column| ClaimNow::of(placement, column, book.currency)));
        }
        claims.sort_by(|one, other| one.invoice.cmp(&other.invoice));
        claims.dedup_by(|one, other| one.invoice == other.invoice);
        Self { claims }
    }

    /// What is not as in `before` any more, for people; empty where nothing changed. Two different
    /// states never have the same words.
    pub fn changes_since(&self, before: &Self) -> String {
        let mut said = Vec::new();
        let known = |one: &ClaimNow| before.claims.iter().find(|was| was.invoice == one.invoice);
        let changed = self.claims.iter().filter(|one| known(one) != Some(*one));
        let claims: Vec<String> = changed.map(|one| one.words(known(one))).collect();
        if !claims.is_empty() {
            said.push(format!("open by now: {}", claims.join(", ")));
        }
        said.join("; ")
    }
}

impl ClaimNow {
    fn of(placement: &Placement, column: &ClaimBook<'_>, currency: Currency) -> Self {
        let told = placement.interest.iter().find(|(invoice, ..)| invoice == column.invoice);
        let until: Option<Date> = told.map(|(.., until)| *until);
        Self {
            invoice: column.invoice.clone(),
            currency,
            principal: column.principal,
            credited: column.credited,
            remitted: column.remitted,
            waived: column.waived,
            written_off: column.written_off,
            paid: column.paid + column.fees_paid + column.interest_paid,
            fees_charged: column.fees_charged,
            interest_settled: column.interest_paid + column.interest_given_up,
            interest_charged: until.map_or(Decimal::ZERO, |day| column.interest_charged(day)),
            open_principal: column.outstanding,
            open_fees: column.fees,
        }
    }

    /// `R-1 39.90, 0.00 of it fees (credited 50.00)`.
    fn words(&self, before: Option<&Self>) -> String {
        let amount = |value: Decimal| plain(value, self.currency);
        let open = amount(self.open_principal + self.open_fees);
        let mut said = format!("{} {open}, {} of it fees", self.invoice, amount(self.open_fees));
        let parts: [(&str, fn(&Self) -> Decimal); 8] = [
            ("invoiced", |one| one.principal),
            ("credited", |one| one.credited),
            ("taken off by disputes", |one| one.remitted),
            ("waived", |one| one.waived),
            ("written off", |one| one.written_off),
            ("paid", |one| one.paid),
            ("fees charged", |one| one.fees_charged),
            ("of it for interest", |one| one.interest_settled),
        ];
        let moved: Vec<String> = parts
            .iter()
            .map(|(word, part)| (word, part(self) - before.map_or(Decimal::ZERO, part)))
            .filter(|(_, more)| !more.is_zero())
            .map(|(word, more)| format!("{word} {}", amount(more)))
            .collect();
        if !moved.is_empty() {
            said.push_str(&format!(" ({})", moved.join(", ")));
        }
        let interest = self.interest_charged;
        if before.is_some_and(|was| was.interest_charged != interest) {
            said.push_str(&format!(", {} interest where it was counted to", amount(interest)));
        }
        said
    }
}
