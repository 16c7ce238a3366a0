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

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

pub use self::column::Column;
pub(crate) use self::kept::{Kept, touches_books};
use self::sheet::{Limits, Relief, Sheet};
use crate::{
    account::{Account, AsOf},
    calendar::day_in,
    claim::Claim,
    decision::start_of,
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

/// Money that went back after it had paid something, or that was assigned elsewhere.
#[derive(Debug)]
pub(crate) struct WentBack<'a> {
    pub payment: &'a PaymentId,
    pub on: Date,
    /// When we learnt of it, where that is known.
    pub told_at: Option<Timestamp>,
    /// The claims that it had paid; of one that was assigned, those of which less is paid since.
    pub claims: BTreeSet<InvoiceId>,
}

impl<'a> WentBack<'a> {
    const fn new(payment: &'a PaymentId, on: Date, told_at: Option<Timestamp>) -> Self {
        Self { payment, on, told_at, claims: BTreeSet::new() }
    }

    fn assigned(
        payment: &'a PaymentId,
        at: Timestamp,
        told_at: Option<Timestamp>,
        claims: BTreeSet<InvoiceId>,
    ) -> Self {
        Self { payment, on: day_in(at, &TimeZone::UTC), told_at: told_at.or(Some(at)), claims }
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

/// Finds the claims that each had paid when its day began, by what had been assigned until then.
fn find_claims(
    account: &Account,
    currency: Currency,
    found: &mut [WentBack<'_>],
    assigned_before: impl Fn(Date) -> Timestamp,
) {
    let days: BTreeSet<Date> = found.iter().map(|one| one.on).collect();
    for day in days {
        let back_by = day.yesterday().unwrap_or(day);
        let as_of = AsOf { back_by, assigned_before: assigned_before(day) };
        let paid = sheet::paid_as_of(account, currency, as_of);
        for one in found.iter_mut().filter(|one| one.on == day) {
            let parts = paid.get(one.payment).into_iter().flatten();
            one.claims.extend(parts.map(|part| part.invoice.clone()));
        }
    }
}

/// As [`find_claims`], by where money belongs now; what had paid none is left out.
fn with_claims<'a>(
    account: &Account,
    currency: Currency,
    mut found: Vec<WentBack<'a>>,
) -> Vec<WentBack<'a>> {
    find_claims(account, currency, &mut found, |_| Timestamp::MAX);
    found.retain(|one| !one.claims.is_empty());
    found
}

/// Adds the claims that others took money from since, when theirs had gone back.
fn add_others(account: &Account, currency: Currency, found: &mut [WentBack<'_>]) {
    let days: BTreeSet<Date> = found.iter().map(|one| one.on).collect();
    for day in days {
        let by = |back_by| AsOf { back_by, ..AsOf::NOW };
        let yesterday = day.yesterday().unwrap_or(day);
        let mut others = less_paid(account, currency, (by(yesterday), by(day)));
        let of_day = |one: &&mut WentBack<'_>| one.on == day;
        for one in found.iter_mut().filter(of_day) {
            others.retain(|claim| !one.claims.contains(claim));
        }
        for one in found.iter_mut().filter(of_day) {
            one.claims.extend(others.iter().cloned());
        }
    }
}

/// Claims of which less is paid by the later moment than by the earlier one, whatever by.
fn less_paid(
    account: &Account,
    currency: Currency,
    (earlier, later): (AsOf, AsOf),
) -> BTreeSet<InvoiceId> {
    let mut gone: BTreeMap<InvoiceId, Decimal> = BTreeMap::new();
    for part in sheet::paid_as_of(account, currency, earlier).into_values().flatten() {
        *gone.entry(part.invoice).or_default() += part.amount;
    }
    for part in sheet::paid_as_of(account, currency, later).into_values().flatten() {
        *gone.entry(part.invoice).or_default() -= part.amount;
    }
    gone.into_iter().filter(|(_, gone)| *gone > Decimal::ZERO).map(|(invoice, _)| invoice).collect()
}

/// Each assignment of a payment: when it was said, and when we learnt of it.
fn assignments(
    account: &Account,
) -> impl Iterator<Item = (&PaymentId, Timestamp, Option<Timestamp>)> {
    account.payments.iter().flat_map(|(payment, entry)| {
        entry.assignments().map(move |(at, told_at)| (payment, at, told_at))
    })
}

/// Just before an assignment, and with it.
fn around(at: Timestamp) -> (AsOf, AsOf) {
    let back_by = day_in(at, &TimeZone::UTC);
    let since = at.saturating_add(1.nanosecond()).unwrap_or(at);
    (AsOf { back_by, assigned_before: at }, AsOf { back_by, assigned_before: since })
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

    /// Money that went back or was assigned elsewhere, each time with the claims that it had paid
    /// until then.
    pub(crate) fn went_back(account: &'a Account, currency: Currency) -> Vec<WentBack<'a>> {
        let all = Self::returns(account).chain(Self::refunds(account, Date::MIN));
        let mut all: Vec<WentBack<'a>> = all.collect();
        find_claims(account, currency, &mut all, |_| Timestamp::MAX);
        add_others(account, currency, &mut all);
        if account.payments.values().any(|payment| payment.assigned.is_some()) {
            find_claims(account, currency, &mut all, |day| start_of(day, &TimeZone::UTC));
            all.extend(Self::assigned_elsewhere(account, currency));
        }
        all.retain(|one| !one.claims.is_empty());
        all
    }

    /// Each assignment of a payment, with the claims of which less is paid since.
    fn assigned_elsewhere(
        account: &'a Account,
        currency: Currency,
    ) -> impl Iterator<Item = WentBack<'a>> {
        assignments(account).map(move |(payment, at, told_at)| {
            let claims = less_paid(account, currency, around(at));
            WentBack::assigned(payment, at, told_at, claims)
        })
    }

    /// Each assignment of a payment, and its moment, with the claims that the payment itself had paid
    /// until then, and of which less is paid for it now, whatever was said later.
    pub(crate) fn reassigned(
        account: &'a Account,
        currency: Currency,
    ) -> Vec<(Timestamp, WentBack<'a>)> {
        let all = assignments(account).map(|(payment, at, told_at)| {
            let (then, _) = around(at);
            let now = AsOf { assigned_before: Timestamp::MAX, ..then };
            let mut claims = less_paid(account, currency, (then, now));
            let paid = sheet::paid_as_of(account, currency, then);
            let parts = paid.get(payment).map_or(&[][..], Vec::as_slice);
            claims.retain(|claim| parts.iter().any(|part| part.invoice == *claim));
            (at, WentBack::assigned(payment, at, told_at, claims))
        });
        all.filter(|(_, one)| !one.claims.is_empty()).collect()
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
