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
//! A waiver or write-off of all that is open does not grow: it takes at most what would have been
//! open had no money gone back after its day, and no fee been charged after it. What goes back
//! later is owed again.

mod column;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

pub use self::column::ClaimBook;
use crate::{
    account::{Account, Payment},
    event::Allocation,
    fact::{Part, Stamp},
    ids::*,
    law::allocation::{self, Allocated, Debt},
    money::{Currency, Decimal, decimals},
};

/// The books of one currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Book<'a> {
    /// Currency of all amounts.
    pub currency: Currency,
    /// Issued claims in the order of their ids.
    pub claims: Vec<ClaimBook<'a>>,
    /// How each payment is used; those that pay nothing have no entry.
    pub used: BTreeMap<&'a PaymentId, Vec<Allocation>>,
    /// Payments whose amount alone said what they were meant for (an implied designation).
    pub implied: BTreeSet<&'a PaymentId>,
    /// Received less returned and refunded.
    pub paid: Decimal,
    /// Money beyond what is owed, and credit notes beyond what was invoiced.
    pub unallocated: Decimal,
    /// Principal that is gone without a payment of the claim's own, by claim and day: set off,
    /// waived, written off.
    relieved: Relief<'a>,
}

/// The most that a waiver or write-off of all that is open takes of each [`Part`].
type Limits<'a> = BTreeMap<(&'a InvoiceId, &'a Stamp), [Decimal; 3]>;

/// Principal that bears no interest after a day although no payment of its claim took it.
type Relief<'a> = BTreeMap<&'a InvoiceId, Vec<(Date, Decimal)>>;

/// What is set off and waived is known only once all payments are used, and how these are used
/// depends on the interest that it stops. So the books are computed again until both agree; each
/// round moves what the last one did by the interest on it, so that two or three are enough.
const ROUNDS: usize = 6;

impl<'a> Book<'a> {
    /// Computes the books of `account` in `currency`.
    pub fn of(account: &'a Account, currency: Currency) -> Self {
        let mut relief = Relief::new();
        for _ in 1..ROUNDS {
            let book = Self::relieved_by(account, currency, &relief);
            let bears =
                |invoice: &&InvoiceId| book.claim(invoice).is_some_and(|c| c.bears_interest());
            if book.relieved == relief || !book.relieved.keys().any(bears) {
                return book;
            }
            relief = book.relieved;
        }
        Self::relieved_by(account, currency, &relief)
    }

    fn relieved_by(account: &'a Account, currency: Currency, relief: &Relief<'a>) -> Self {
        let mut limits = Limits::new();
        for day in days_to_look_back_at(account, currency) {
            for column in Self::as_if(account, currency, day, &limits, relief).claims {
                let on_that_day = column.claim.given_up.iter().filter(|(_, one)| one.on == day);
                for stamp in on_that_day.map(|(stamp, _)| stamp) {
                    limits.insert((column.invoice, stamp), column.given_up_by(stamp));
                }
            }
        }
        Self::as_if(account, currency, Date::MAX, &limits, relief)
    }

    /// The books as if nothing had gone back and no fee been charged after `day`.
    fn as_if(
        account: &'a Account,
        currency: Currency,
        day: Date,
        limits: &Limits<'a>,
        relief: &Relief<'a>,
    ) -> Self {
        let mut book = Self {
            currency,
            claims: open_claims(account, currency, day, relief),
            used: BTreeMap::new(),
            implied: BTreeSet::new(),
            paid: Decimal::ZERO,
            unallocated: Decimal::ZERO,
            relieved: Relief::new(),
        };
        for claim in &mut book.claims {
            let surplus = claim.claim.credited() - claim.credited;
            book.unallocated += surplus.max(Decimal::ZERO);
        }
        let mut payments: Vec<(&PaymentId, &Payment, Date, Decimal)> = account
            .payments
            .iter()
            .filter_map(|(id, payment)| {
                let (booked_on, net) = payment.net_on(currency, day)?;
                Some((id, payment, booked_on, net))
            })
            .collect();
        payments.sort_by_key(|(id, _, booked_on, _)| (*booked_on, *id));
        let gives_up_interest: Vec<usize> =
            (0..book.claims.len()).filter(|at| book.claims[*at].gives_up_interest()).collect();
        let mut left_over: Vec<(&PaymentId, Date, Decimal)> = Vec::new();
        for (id, payment, booked_on, net) in payments {
            book.paid += net;
            for at in &gives_up_interest {
                book.claims[*at].give_up_interest(booked_on, limits);
            }
            let mut parts = Vec::new();
            let allocated = match payment.designation() {
                Some(invoice) => match book.find(invoice) {
                    Some(at) => book.pay_designated(at, net, booked_on, &mut parts),
                    None => {
                        book.unallocated += net; // waits for its invoice
                        continue;
                    }
                },
                None => book.pay_by_law(net, booked_on, &mut parts),
            };
            if allocated.implied {
                book.implied.insert(id);
            }
            if allocated.rest > Decimal::ZERO {
                left_over.push((id, booked_on, allocated.rest));
            }
            if !parts.is_empty() {
                book.used.insert(id, parts);
            }
        }
        for (id, booked_on, rest) in left_over {
            let mut parts = Vec::new();
            let rest = book.set_off(rest, booked_on, &mut parts);
            book.unallocated += rest;
            if !parts.is_empty() {
                book.used.entry(id).or_default().extend(parts);
            }
        }
        for parts in book.used.values_mut() {
            merge(parts);
        }
        for column in &mut book.claims {
            column.give_up_interest(Date::MAX, limits);
            column.give_up(limits, &mut book.relieved);
        }
        book
    }

    /// The column of a claim.
    pub fn claim(&self, invoice: &InvoiceId) -> Option<&ClaimBook<'a>> {
        self.find(invoice).map(|at| &self.claims[at])
    }

    /// Principal, fees, and interest up to the end of `day`, owed on all claims.
    pub fn open_on(&self, day: Date) -> Decimal {
        self.claims.iter().map(|column| column.open_on(day)).sum()
    }

    fn find(&self, invoice: &InvoiceId) -> Option<usize> {
        self.claims.binary_search_by(|claim| claim.invoice.cmp(invoice)).ok()
    }

    /// Pays the claim that was designated.
    fn pay_designated(
        &mut self,
        at: usize,
        money: Decimal,
        on: Date,
        parts: &mut Vec<Allocation>,
    ) -> Allocated {
        let debts = [self.claims[at].debt(on, false)];
        let allocated = allocation::to_designated(&debts, 0, money);
        self.book(&allocated, &[at], on, false, parts);
        allocated
    }

    /// Pays without designation.
    fn pay_by_law(&mut self, money: Decimal, on: Date, parts: &mut Vec<Allocation>) -> Allocated {
        let (places, debts): (Vec<usize>, Vec<Debt>) = (0..self.claims.len())
            .filter(|at| self.claims[*at].is_open())
            .map(|at| (at, self.claims[at].debt(on, false)))
            .filter(|(_, debt)| debt.open() > Decimal::ZERO)
            .unzip();
        let allocated = allocation::by_law(&debts, money, decimals(self.currency).unwrap_or(2));
        self.book(&allocated, &places, on, false, parts);
        allocated
    }

    /// Uses what was left over for whatever is open, oldest first, costs included.
    fn set_off(&mut self, money: Decimal, on: Date, parts: &mut Vec<Allocation>) -> Decimal {
        let mut order: Vec<usize> =
            (0..self.claims.len()).filter(|at| self.claims[*at].is_open()).collect();
        order.sort_by_key(|at| {
            let column = &self.claims[*at];
            (column.claim.disputed_on(on), column.due_on)
        });
        let mut rest = money;
        for at in order {
            if rest.is_zero() {
                break;
            }
            // Money cannot settle a claim before there was one.
            let issued = self.claims[at].claim.invoice.as_ref().map_or(on, |i| i.issued_on);
            let on = on.max(issued);
            let debts = [self.claims[at].debt(on, true)];
            let allocated = allocation::rest_to(&debts, 0, rest);
            self.book(&allocated, &[at], on, true, parts);
            rest = allocated.rest;
        }
        rest
    }

    /// Enters what a payment is used for into the columns; `places` are those of its debts.
    fn book(
        &mut self,
        allocated: &Allocated,
        places: &[usize],
        on: Date,
        set_off: bool,
        parts: &mut Vec<Allocation>,
    ) {
        for applied in &allocated.applied {
            let (part, amount) = (applied.part, applied.amount);
            let column = &mut self.claims[places[applied.debt]];
            column.take(part, amount, on, set_off);
            if set_off && part == Part::Principal {
                self.relieved.entry(column.invoice).or_default().push((on, amount));
            }
            parts.push(Allocation { invoice: column.invoice.clone(), part, amount });
        }
    }
}

/// Days of waivers and write-offs of all that is open, after which money went back, in order.
fn days_to_look_back_at(account: &Account, currency: Currency) -> BTreeSet<Date> {
    let back = account.payments.values().flat_map(|payment| {
        let returned = payment.returned.iter().map(|(on, ..)| *on);
        returned.chain(payment.refunded.iter().map(|(on, _)| *on))
    });
    let Some(last) = back.max() else { return BTreeSet::new() };
    let claims = account.claims.values().filter(|claim| claim.currency() == Some(currency));
    let given = claims.flat_map(|claim| claim.given_up.values());
    given.filter(|one| one.amount.is_none() && one.on < last).map(|one| one.on).collect()
}

/// The claims before any money, with the fees charged by `day`.
fn open_claims<'a>(
    account: &'a Account,
    currency: Currency,
    day: Date,
    relief: &Relief<'a>,
) -> Vec<ClaimBook<'a>> {
    let mut columns: Vec<ClaimBook<'_>> = Vec::with_capacity(account.claims.len());
    // What the bank charged for returns, by the claim that the payment was meant for.
    let mut returns: BTreeMap<&InvoiceId, Vec<(Date, Decimal)>> = BTreeMap::new();
    for payment in account.payments.values().filter(|payment| !payment.returned.is_empty()) {
        if let Some(meant) = payment.designation() {
            returns.entry(meant).or_default().extend(payment.return_fees(currency));
        }
    }
    for (id, claim) in &account.claims {
        let (Some(invoice), Some(due_on)) = (&claim.invoice, claim.due_on()) else { continue };
        if invoice.amount.currency != currency {
            continue;
        }
        let mut fee_rows: Vec<(Date, Decimal)> =
            claim.fees.iter().filter(|fee| !fee.reversed).map(|fee| (fee.on, fee.amount)).collect();
        if claim.cancelled_on.is_none() {
            fee_rows.extend(returns.get(id).into_iter().flatten().copied());
        }
        fee_rows.retain(|(on, _)| *on <= day);
        fee_rows.sort_unstable();
        let mut column = ClaimBook::new(account, id, claim, invoice, due_on, fee_rows);
        for (on, amount) in relief.get(id).into_iter().flatten() {
            column.relieve(*on, *amount);
        }
        columns.push(column);
    }
    columns
}

/// Adds up parts of the same claim and kind, so that a payment has one line for each.
fn merge(parts: &mut Vec<Allocation>) {
    let mut merged: Vec<Allocation> = Vec::with_capacity(parts.len());
    for part in parts.drain(..) {
        match merged.iter_mut().find(|m| m.invoice == part.invoice && m.part == part.part) {
            Some(same) => same.amount += part.amount,
            None => merged.push(part),
        }
    }
    *parts = merged;
}
