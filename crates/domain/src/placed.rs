//! What an agency has to know of a placement that it has: what is open of its claims by now, of
//! what kind the changes were, and whether it may write to the debtor.
//!
//! One answer for every way in which agencies are told, so that none is silent on what another
//! one tells. It has no day: interest that only grows is no news, and neither is the end of a hold
//! whose last day was told. Why the debtor is to be left alone, and who asked for it, stays in the
//! house.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, Placement},
    book::{Book, ClaimBook, touches_books},
    event::AccountEvent,
    ids::{HoldId, InvoiceId},
    money::{Currency, Decimal, plain},
};

/// A placement by the creditor's books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementNow {
    /// Its claims in the order of their ids, also those of which nothing is open any more.
    pub claims: Vec<ClaimNow>,
    /// Holds over the account or over one of the claims that nobody released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldNow>,
    /// A lawyer or guardian acts for the debtor: whoever writes, writes to them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub represented: bool,
}

/// Whether an event can change what [`PlacementNow`] says of a placement, or is of one that goes out or
/// is called back, or of money that is used. Most events are not: whoever follows the log for agencies
/// need not look at their accounts.
pub fn concerns_agencies(event: &AccountEvent) -> bool {
    use AccountEvent as E;
    let own = matches!(
        event,
        E::HoldPlaced { .. }
            | E::HoldReleased { .. }
            | E::DebtorUpdated { .. }
            | E::PaymentAllocated { .. }
            | E::Reallocated { .. }
            | E::PlacementReleased { .. }
            | E::PlacementRecalled { .. }
    );
    own || touches_books(event)
}

/// A figure of a claim.
type Part = fn(&ClaimNow) -> Decimal;

/// A hold over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldNow {
    /// Hold.
    pub hold: HoldId,
    /// Only this claim; `None`: all of them.
    pub invoice: Option<InvoiceId>,
    /// First day.
    pub placed_on: Date,
    /// Last day; `None`: until it is released.
    pub until: Option<Date>,
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
        let holds = account.holds.iter().filter_map(|(id, hold)| {
            let placed = hold.placed.as_ref().filter(|_| !hold.released)?;
            let about_us = placed.invoice.as_ref().is_none_or(|one| placement.claims.contains(one));
            about_us.then(|| HoldNow {
                hold: id.clone(),
                invoice: placed.invoice.clone(),
                placed_on: placed.on,
                until: placed.until,
            })
        });
        let represented = account.profile().is_some_and(|debtor| debtor.represented);
        Self { claims, holds: holds.collect(), represented }
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
        let held = self.holds.iter().filter(|one| !before.holds.contains(one));
        said.extend(held.map(|hold| format!("on hold{}", hold.words())));
        let gone = before.holds.iter().filter(|one| !self.holds.contains(one));
        said.extend(gone.map(|hold| format!("no longer on hold{}", hold.words())));
        match (before.represented, self.represented) {
            (false, true) => said.push("a lawyer or guardian acts".to_owned()),
            (true, false) => said.push("nobody acts for the debtor any more".to_owned()),
            _ => {}
        }
        said.join("; ")
    }
}

impl HoldNow {
    fn words(&self) -> String {
        let Self { hold, invoice, placed_on, until } = self;
        let of = invoice.as_ref().map_or_else(String::new, |invoice| format!(" for {invoice}"));
        let until = until.map_or_else(String::new, |until| format!(" until {until}"));
        format!("{of} from {placed_on}{until} ({hold})")
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
        let parts: [(&str, Part); 8] = [
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
