//! The books of an account in one currency: what is owed and how each payment is used.
//!
//! A pure function of the facts. The order in which they arrived is not among its inputs, so it
//! cannot change the result; time is not either. Interest alone grows by the day, and only it is
//! asked with one: [`ClaimBook::interest_on`].
//!
//! Order of payments: booking day, then payment id. How each is used is the law's:
//! [`allocation`](crate::law::allocation). Costs are paid only as far as they had been charged by
//! the booking day, interest up to and including that day. Money for a claim that is not known yet
//! waits as credit and pays nothing else.
//!
//! What is left over of one claim pays the account's other claims, undisputed ones first, then the
//! oldest, costs included: nobody is reminded of a debt while we hold the money for it. It counts
//! from the day on which it could (§ 389 BGB): no interest runs on what it pays from then on.
//!
//! What a credit note takes off beyond its invoice is the debtor's, and pays the principal of other
//! claims in the same way; it stands there as credited. What is left waits as credit.
//!
//! A waiver or write-off of all that is open does not grow: it takes at most what would have been
//! open had no money gone back after its day, and no fee been charged after it. What goes back
//! later is owed again.
//!
//! What was computed is kept with the account and handed on until an event touches what it is
//! computed from, so that a command and the decision after it look at one book.

mod column;
mod kept;
mod sheet;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

pub use self::column::Column;
pub(crate) use self::kept::{Kept, touches_books};
use self::sheet::{Limits, Relief, Sheet};
use crate::{
    account::Account,
    calendar::day_in,
    claim::Claim,
    event::Allocation,
    ids::*,
    money::{Currency, Decimal},
    policy::History,
};

/// The books of one currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Book<'a> {
    /// Currency of all amounts.
    pub currency: Currency,
    /// Issued claims in the order of their ids.
    pub claims: Vec<ClaimBook<'a>>,
    /// How each payment is used; those that pay nothing have no entry.
    pub used: &'a BTreeMap<PaymentId, Vec<Allocation>>,
    /// Payments whose amount alone said what they were meant for (an implied designation).
    pub implied: &'a BTreeSet<PaymentId>,
    /// Received less returned and refunded.
    pub paid: Decimal,
    /// Money beyond what is owed, and credit notes beyond what was invoiced.
    pub unallocated: Decimal,
    /// How the debtor has paid so far; promises are not in it.
    pub(crate) history: History,
}

/// Money that went back after it had paid something.
#[derive(Debug)]
pub(crate) struct WentBack<'a> {
    pub payment: &'a PaymentId,
    pub on: Date,
    /// When we learnt of it, where that is known.
    pub told_at: Option<Timestamp>,
    /// The claims that it had paid.
    pub claims: BTreeSet<InvoiceId>,
}

impl<'a> WentBack<'a> {
    const fn new(payment: &'a PaymentId, on: Date, told_at: Option<Timestamp>) -> Self {
        Self { payment, on, told_at, claims: BTreeSet::new() }
    }

    /// Whether what left at `at` left once it had gone back. Of the same moment, or where only the
    /// day is known of the same day, it did.
    pub fn is_before(&self, at: Timestamp, zone: &TimeZone) -> bool {
        match self.told_at {
            Some(told_at) => at >= told_at,
            None => day_in(at, zone) >= self.on,
        }
    }
}

/// Finds the claims that each had paid when its day began; what had paid none is left out.
fn with_claims<'a>(
    account: &Account,
    currency: Currency,
    mut found: Vec<WentBack<'a>>,
) -> Vec<WentBack<'a>> {
    let days: BTreeSet<Date> = found.iter().map(|one| one.on).collect();
    for day in days {
        let before = day.yesterday().unwrap_or(day);
        let paid = sheet::paid_at(account, currency, before);
        for one in found.iter_mut().filter(|one| one.on == day) {
            one.claims = paid.get(one.payment).cloned().unwrap_or_default();
        }
    }
    found.retain(|one| !one.claims.is_empty());
    found
}

/// A claim with its column in the books, to which it points: figures are read from it directly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClaimBook<'a> {
    /// Claim.
    pub invoice: &'a InvoiceId,
    /// Its facts.
    pub claim: &'a Claim,
    column: &'a Column,
}

impl Deref for ClaimBook<'_> {
    type Target = Column;
    fn deref(&self) -> &Column {
        self.column
    }
}

/// What a currency has in which the account has neither claims nor money.
static NOTHING: (BTreeMap<PaymentId, Vec<Allocation>>, BTreeSet<PaymentId>) =
    (BTreeMap::new(), BTreeSet::new());

impl<'a> Book<'a> {
    /// The books of `account` in `currency`: as they are kept, or computed now.
    pub fn of(account: &'a Account, currency: Currency) -> Self {
        let sheet = account.sheets().iter().find(|sheet| sheet.currency == currency);
        sheet.map_or_else(|| Self::empty(currency), |sheet| Self::from(account, sheet))
    }

    /// The books of `account`, one a currency in the order of [`Account::currencies`].
    pub fn all(account: &'a Account) -> impl Iterator<Item = Self> {
        account.sheets().iter().map(|sheet| Self::from(account, sheet))
    }

    fn from(account: &'a Account, sheet: &'a Sheet) -> Self {
        let issued = account.claims.iter().filter(|(_, one)| sheet::is_in(one, sheet.currency));
        let claims = issued.zip(&sheet.columns);
        let claims = claims.map(|((invoice, claim), column)| ClaimBook { invoice, claim, column });
        let (currency, paid, unallocated) = (sheet.currency, sheet.paid, sheet.unallocated);
        let (used, implied, history) = (&sheet.used, &sheet.implied, sheet.history);
        Self { currency, claims: claims.collect(), used, implied, paid, unallocated, history }
    }

    fn empty(currency: Currency) -> Self {
        let (used, implied) = (&NOTHING.0, &NOTHING.1);
        let (paid, unallocated, history) = (Decimal::ZERO, Decimal::ZERO, History::default());
        Self { currency, claims: Vec::new(), used, implied, paid, unallocated, history }
    }

    /// Money that went back, each time with the claims that it had paid until then.
    pub(crate) fn went_back(account: &'a Account, currency: Currency) -> Vec<WentBack<'a>> {
        let all = Self::returns(account).chain(Self::refunds(account, Date::MIN));
        with_claims(account, currency, all.collect())
    }

    /// Of [`went_back`](Self::went_back) what banks sent back.
    pub(crate) fn returned(account: &'a Account, currency: Currency) -> Vec<WentBack<'a>> {
        with_claims(account, currency, Self::returns(account).collect())
    }

    fn returns(account: &'a Account) -> impl Iterator<Item = WentBack<'a>> {
        account.payments.iter().flat_map(|(payment, entry)| {
            let rows = entry.returned.iter();
            rows.map(move |one| WentBack::new(payment, one.on, one.told_at))
        })
    }

    /// Money that we gave back since `day`, each time with the claims that it had paid until then.
    pub(crate) fn refunded_since(
        account: &'a Account,
        currency: Currency,
        day: Date,
    ) -> Vec<WentBack<'a>> {
        with_claims(account, currency, Self::refunds(account, day).collect())
    }

    fn refunds(account: &'a Account, since: Date) -> impl Iterator<Item = WentBack<'a>> {
        account.payments.iter().flat_map(move |(payment, entry)| {
            let rows = entry.refunded.iter().filter(move |(on, _)| *on >= since);
            rows.map(move |(on, _)| WentBack::new(payment, *on, None))
        })
    }

    /// The column of a claim.
    pub fn claim(&self, invoice: &InvoiceId) -> Option<&ClaimBook<'a>> {
        self.claims.binary_search_by(|one| one.invoice.cmp(invoice)).ok().map(|at| &self.claims[at])
    }

    /// Principal, fees, and interest up to the end of `day`, owed on all claims.
    pub fn open_on(&self, day: Date) -> Decimal {
        self.claims.iter().map(|column| column.open_on(day)).sum()
    }
}
