//! Abgabe an Inkasso: a released placement becomes a folder for the agency, and a recall a file.
//!
//! ```text
//! <root>/<creditor>/<placement>/manifest.json   checksums and control totals, written last
//!                               claims.json     everything, see schemas/
//!                               claims.csv      a line a claim, for a spreadsheet
//!                               documents/
//! <root>/<creditor>/recalls/<placement>.json
//! <root>/<creditor>/updates/<placement>-<number>.json
//! ```
//!
//! Of a placement whose debtor was erased nothing is left but `<placement>/erased.json`.
//!
//! [`build`] computes the contents from the account, [`write_folder`] puts them on disk, whole or
//! not at all. Neither decides whether a placement goes out: that was decided when it was
//! released. The folder is a copy of personal data that leaves the house, so it holds what the
//! agency must know by § 13a RDG, and nothing of the shop's notes, attributes, or payers' banks.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kulanz_domain::{
    account::{Account, Placement, PlacementState},
    book::{Book, ClaimBook},
    calendar::day_in,
    event::Suppression,
    ids::*,
    money::{Currency, Decimal, Money},
    placed::PlacementNow,
    policy::Creditor,
};
use serde_json::Value;
use thiserror::Error;

mod claim;
mod csv;
pub mod document;
mod erased;
mod folder;
mod interest;
mod person;
pub mod schema;
#[cfg(test)]
mod tests;
pub mod words;

pub use document::{Manifest, PlacementData, Recall, Update};
pub use erased::{Erased, erase_folder, folder_of};
pub use folder::{WriteError, write_folder, write_recall, write_update};

use document::*;
use words::*;

/// The creditor as an agency has to name it (§ 13a (1) no. 1 and 6 RDG).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditorCard {
    /// As in the commercial register.
    pub legal_name: String,
    /// Seat.
    pub address: PostalAddress,
    /// Without spaces.
    pub iban: String,
    /// Vorsteuerabzug.
    pub input_tax_deduction: bool,
    /// Whom to ask: e-mail.
    pub support_email: String,
    /// Whom to ask: telephone.
    pub support_phone: String,
}

/// Everything that a placement's contents are computed from.
///
/// `account` is the account as it stood right after the release: then a second attempt after a
/// crash gives the same contents, whatever has happened since.
#[derive(Clone, Copy)]
pub struct Handoff<'a> {
    /// Whose account.
    pub id: &'a AccountId,
    /// State.
    pub account: &'a Account,
    /// Which of its placements.
    pub placement: &'a PlacementId,
    /// Personal data by slot, as the vault gives it.
    pub secrets: &'a BTreeMap<String, Value>,
    /// The creditor as decisions see it.
    pub creditor: &'a Creditor,
    /// The creditor as the agency sees it.
    pub card: &'a CreditorCard,
    /// Moment of the release.
    pub at: Timestamp,
}

/// Why there is nothing to hand over.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotReady {
    /// The account has no such placement.
    #[error("there is no placement {0}")]
    Unknown(PlacementId),
    /// It was not released, or is over.
    #[error("placement {0} is not released")]
    NotReleased(PlacementId),
    /// Required fields are not there; sentences without personal data.
    #[error("placement {placement} lacks: {}", .fields.join(", "))]
    Missing {
        /// Which placement.
        placement: PlacementId,
        /// What is missing, e.g. `date of the contract of R-1`.
        fields: Vec<String>,
    },
    /// The account has moved on since the release: the log would say other amounts.
    #[error("{invoice} was released with {released} and stands at {now}")]
    AmountsChanged {
        /// Claim.
        invoice: InvoiceId,
        /// Principal, fees and interest by the release.
        released: Money,
        /// Principal, fees and interest by the books.
        now: Money,
    },
}

/// Reads texts out of the vault's slots.
#[derive(Clone, Copy)]
struct Secrets<'a>(&'a BTreeMap<String, Value>);

impl Secrets<'_> {
    /// A text that is there and not blank.
    fn text(self, slot: &str, member: &str) -> Option<String> {
        text_of(self.0.get(slot)?, member)
    }
}

fn text_of(value: &Value, member: &str) -> Option<String> {
    let text = value.get(member)?.as_str()?;
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// Computes what the agency gets. Pure: the same input gives the same contents.
///
/// The account's personal data and the creditor's card are read by name: an erased account lacks
/// them and cannot be handed over.
pub fn build(from: &Handoff<'_>) -> Result<PlacementData, NotReady> {
    let id = from.placement;
    let placement = from.account.placements.get(id).ok_or_else(|| NotReady::Unknown(id.clone()))?;
    if placement.state != PlacementState::Released {
        return Err(NotReady::NotReleased(id.clone()));
    }
    let mut missing = Vec::new();
    let creditor = person::creditor(from, &mut missing);
    let debtor = person::debtor(from, &mut missing);
    let books: Vec<Book<'_>> =
        from.account.currencies().into_iter().map(|c| Book::of(from.account, c)).collect();
    let mut invoices: Vec<&InvoiceId> = placement.claims.iter().collect();
    invoices.sort_unstable();
    invoices.dedup();
    let mut claims = Vec::with_capacity(invoices.len());
    for invoice in invoices {
        let found = books.iter().find_map(|book| Some((book, book.claim(invoice)?)));
        match found {
            Some((book, column)) => {
                released_as_booked(from, placement, column, book)?;
                claims.extend(claim::entry(from, book, column, &mut missing));
            }
            None => missing.push(format!("invoice {invoice}")),
        }
    }
    let (Some(debtor), true) = (debtor, missing.is_empty()) else {
        return Err(NotReady::Missing { placement: id.clone(), fields: missing });
    };
    let totals = totals(&claims);
    Ok(PlacementData {
        format: FORMAT,
        placement: id.clone(),
        agency: placement.agency.clone(),
        created_at: from.at,
        creditor,
        debtor,
        claims,
        holds: holds(from, placement),
        promises: promises(from.account),
        plans: plans(from.account, placement),
        totals,
    })
}

/// The log says with which amounts the placement was released; the folder must not say others.
fn released_as_booked(
    from: &Handoff<'_>,
    placement: &Placement,
    column: &ClaimBook<'_>,
    book: &Book<'_>,
) -> Result<(), NotReady> {
    let invoice = column.invoice;
    let told = placement.amounts.iter().find(|(id, ..)| id == invoice);
    let (principal, fees) = told.map_or_else(Default::default, |(_, p, f)| (*p, *f));
    let told = placement.interest.iter().find(|(id, ..)| id == invoice);
    let interest = told.map_or(Decimal::ZERO, |(_, amount, _)| *amount);
    let now = (column.outstanding, column.fees, column.interest_on(from.interest_until(invoice)));
    if (principal, fees, interest) == now {
        return Ok(());
    }
    Err(NotReady::AmountsChanged {
        invoice: invoice.clone(),
        released: Money::new(principal + fees + interest, book.currency),
        now: Money::new(now.0 + now.1 + now.2, book.currency),
    })
}

/// Sums over the claims as they are written, by currency.
fn totals(claims: &[ClaimEntry]) -> Vec<Totals> {
    let mut currencies: Vec<Currency> = claims.iter().map(|claim| claim.currency).collect();
    currencies.sort_unstable_by_key(|currency| currency.code());
    currencies.dedup();
    let total = |currency: Currency| {
        let of: Vec<&ClaimEntry> =
            claims.iter().filter(|claim| claim.currency == currency).collect();
        let sum = |part: fn(&ClaimEntry) -> Decimal| {
            Amount::new(of.iter().map(|claim| part(claim)).sum(), currency)
        };
        Totals {
            currency,
            claims: of.len(),
            principal: sum(|claim| claim.open_principal.value()),
            fees: sum(|claim| claim.open_fees.value()),
            interest: sum(|claim| claim.interest.amount.value()),
            total: sum(|claim| claim.open_total.value()),
            payments: sum(ClaimEntry::paid),
        }
    };
    currencies.into_iter().map(total).collect()
}

/// Holds over the account or over one of the claims; one whose beginning was never told is none.
fn holds(from: &Handoff<'_>, placement: &Placement) -> Vec<HoldEntry> {
    let entry = |(id, hold): (&HoldId, &kulanz_domain::account::Hold)| {
        let placed = hold.placed.as_ref()?;
        let about_us = placed.invoice.as_ref().is_none_or(|one| placement.claims.contains(one));
        about_us.then(|| HoldEntry {
            hold: id.clone(),
            invoice: placed.invoice.clone(),
            placed_on: placed.on,
            until: placed.until,
            released: hold.released,
        })
    };
    from.account.holds.iter().filter_map(entry).collect()
}

fn promises(account: &Account) -> Vec<PromiseEntry> {
    let sum = |money: &Money| Sum {
        currency: money.currency,
        amount: Amount::new(money.amount, money.currency),
    };
    let entries = account.promises.iter().map(|(id, promise)| PromiseEntry {
        promise: id.clone(),
        made_on: promise.on,
        until: promise.until,
        open: promise.open.iter().map(sum).collect(),
        standing: promise.standing.into(),
    });
    entries.collect()
}

fn plans(account: &Account, placement: &Placement) -> Vec<PlanEntry> {
    let ours = |claims: &[InvoiceId]| claims.iter().any(|one| placement.claims.contains(one));
    let plans = account.plans.iter().filter(|(_, plan)| ours(&plan.claims));
    let entries = plans.map(|(id, plan)| PlanEntry {
        plan: id.clone(),
        agreed_on: plan.on,
        claims: plan.claims.clone(),
        currency: plan.currency,
        rates: plan
            .rates
            .iter()
            .map(|rate| RateEntry {
                due_on: rate.due_on,
                amount: Amount::new(rate.amount, plan.currency),
            })
            .collect(),
        standing: plan.standing.into(),
    });
    entries.collect()
}

impl Handoff<'_> {
    /// The day up to which the interest of a claim was counted at the release.
    fn interest_until(&self, invoice: &InvoiceId) -> Date {
        let placement = self.account.placements.get(self.placement);
        let mut told = placement.into_iter().flat_map(|placement| &placement.interest);
        told.find(|(id, ..)| id == invoice).map_or_else(|| self.day(self.at), |(.., until)| *until)
    }

    fn day(&self, instant: Timestamp) -> Date {
        day_in(instant, &self.creditor.zone)
    }
}

impl Update {
    /// What is open of `placement` of account `id` at `at`, by its books; days are meant in `zone`.
    pub fn new(
        id: &AccountId,
        placement: &PlacementId,
        placed: &Placement,
        account: &Account,
        (at, zone): (Timestamp, &TimeZone),
    ) -> Self {
        let today = day_in(at, zone);
        let books: Vec<Book<'_>> = Book::all(account).collect();
        let PlacementNow { claims, holds, represented } = PlacementNow::of(account, placed);
        let claims = claims.into_iter().filter_map(|now| {
            let book = books.iter().find(|book| book.currency == now.currency)?;
            let column = book.claim(&now.invoice)?;
            let amount = |value: Decimal| Amount::new(value, now.currency);
            Some(OpenClaim {
                currency: now.currency,
                principal: amount(now.principal),
                credited: amount(now.credited),
                remitted: amount(now.remitted),
                waived: amount(now.waived),
                written_off: amount(now.written_off),
                fees_charged: amount(now.fees_charged),
                open_principal: amount(now.open_principal),
                open_fees: amount(now.open_fees),
                open_interest: amount(column.interest_on(today)),
                interest_until: column.interest_to(today),
                payments: claim::payments(account, book, &now.invoice),
                invoice: now.invoice,
            })
        });
        let holds = holds.into_iter().map(|hold| HoldEntry {
            hold: hold.hold,
            invoice: hold.invoice,
            placed_on: hold.placed_on,
            until: hold.until,
            released: false,
        });
        Self {
            format: FORMAT,
            placement: placement.clone(),
            agency: placed.agency.clone(),
            creditor: id.creditor.clone(),
            at,
            claims: claims.collect(),
            holds: holds.collect(),
            represented,
        }
    }
}

impl Recall {
    /// The word to the agency that `placement` of account `id` has to stop.
    pub fn new(
        id: &AccountId,
        placement: &PlacementId,
        placed: &Placement,
        reason: Suppression,
        at: Timestamp,
    ) -> Self {
        Self {
            format: FORMAT,
            placement: placement.clone(),
            agency: placed.agency.clone(),
            creditor: id.creditor.clone(),
            claims: placed.claims.clone(),
            recalled_at: at,
            reason: reason.into(),
        }
    }
}
