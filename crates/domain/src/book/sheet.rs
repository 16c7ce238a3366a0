//! The sheet of a book: its figures by themselves, and how they come about.
//!
//! It borrows nothing, so that it can be kept with the account, see [`Kept`](super::kept::Kept).

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::column::{Column, Entered};
use crate::{
    account::{Account, AsOf, Payment},
    claim::Claim,
    event::Allocation,
    fact::{Part, Stamp},
    ids::*,
    law::allocation::{self, Allocated, Debt},
    money::{Currency, Decimal, decimals},
    policy::History,
};

/// The figures of a book, of an account that is known from elsewhere.
#[derive(Debug, PartialEq)]
pub(super) struct Sheet {
    pub currency: Currency,
    /// Of the issued claims in the order of their ids.
    pub columns: Vec<Column>,
    pub used: BTreeMap<PaymentId, Vec<Allocation>>,
    pub implied: BTreeSet<PaymentId>,
    pub paid: Decimal,
    pub unallocated: Decimal,
    /// How the debtor has paid so far; promises are not in it.
    pub history: History,
}

/// A book while money is entered into it.
struct Draft<'a> {
    currency: Currency,
    claims: Vec<Entered<'a>>,
    used: BTreeMap<&'a PaymentId, Vec<Allocation>>,
    implied: BTreeSet<&'a PaymentId>,
    paid: Decimal,
    unallocated: Decimal,
    /// Principal that is gone without a payment of the claim's own, by claim and day: set off,
    /// waived, written off.
    relieved: Relief<'a>,
}

/// The most that a waiver or write-off of all that is open takes of each [`Part`].
pub(super) type Limits<'a> = BTreeMap<(&'a InvoiceId, &'a Stamp), [Decimal; 3]>;

/// Principal that bears no interest after a day although no payment of its claim took it.
pub(super) type Relief<'a> = BTreeMap<&'a InvoiceId, Vec<(Date, Decimal)>>;

/// What is set off and waived is known only once all payments are used, and how these are used
/// depends on the interest that it stops. So the books are computed again until both agree; each
/// round moves what the last one did by the interest on it, so that two or three are enough.
const ROUNDS: usize = 6;

impl Sheet {
    /// One a currency, in the order of [`Account::currencies`].
    pub fn all(account: &Account) -> Vec<Self> {
        let currencies = account.currencies().into_iter();
        currencies.map(|currency| Draft::of(account, currency).finished()).collect()
    }
}

/// What each payment paid, by what is known now: as if nothing had gone back, or been assigned, after
/// a moment.
pub(super) fn paid_as_of(
    account: &Account,
    currency: Currency,
    as_of: AsOf,
) -> BTreeMap<&PaymentId, Vec<Allocation>> {
    Draft::as_if(account, currency, as_of, &Limits::new(), &Relief::new()).used
}

impl<'a> Draft<'a> {
    fn of(account: &'a Account, currency: Currency) -> Self {
        let mut relief = Relief::new();
        for _ in 1..ROUNDS {
            let draft = Self::relieved_by(account, currency, &relief);
            let bears = |invoice: &&InvoiceId| {
                draft.find(invoice).is_some_and(|at| draft.claims[at].column.bears_interest())
            };
            if draft.relieved == relief || !draft.relieved.keys().any(bears) {
                return draft;
            }
            relief = draft.relieved;
        }
        Self::relieved_by(account, currency, &relief)
    }

    fn finished(self) -> Sheet {
        Sheet {
            currency: self.currency,
            history: history(&self.claims),
            columns: self.claims.into_iter().map(|claim| claim.column.closed()).collect(),
            used: self.used.into_iter().map(|(id, parts)| (id.clone(), parts)).collect(),
            implied: self.implied.into_iter().cloned().collect(),
            paid: self.paid,
            unallocated: self.unallocated,
        }
    }

    fn relieved_by(account: &'a Account, currency: Currency, relief: &Relief<'a>) -> Self {
        let mut limits = Limits::new();
        for day in days_to_look_back_at(account, currency) {
            let then = AsOf { back_by: day, ..AsOf::NOW };
            for one in Self::as_if(account, currency, then, &limits, relief).claims {
                let on_that_day = one.claim.given_up.iter().filter(|(_, given)| given.on == day);
                for stamp in on_that_day.map(|(stamp, _)| stamp) {
                    limits.insert((one.invoice, stamp), one.column.given_up_by(stamp));
                }
            }
        }
        Self::as_if(account, currency, AsOf::NOW, &limits, relief)
    }

    /// The books as if nothing had gone back or been assigned, and no fee been charged, after a moment.
    fn as_if(
        account: &'a Account,
        currency: Currency,
        as_of: AsOf,
        limits: &Limits<'a>,
        relief: &Relief<'a>,
    ) -> Self {
        let mut draft = Self {
            currency,
            claims: open_claims(account, currency, as_of.back_by, relief),
            used: BTreeMap::new(),
            implied: BTreeSet::new(),
            paid: Decimal::ZERO,
            unallocated: Decimal::ZERO,
            relieved: Relief::new(),
        };
        let mut payments: Vec<(&PaymentId, &Payment, Date, Decimal)> = account
            .payments
            .iter()
            .filter_map(|(id, payment)| {
                let (booked_on, net) = payment.net_as_of(currency, as_of)?;
                Some((id, &**payment, booked_on, net))
            })
            .collect();
        payments.sort_by_key(|(id, _, booked_on, _)| (*booked_on, *id));
        let gives_up_interest: Vec<usize> =
            (0..draft.claims.len()).filter(|at| draft.claims[*at].gives_up_interest()).collect();
        let mut left_over: Vec<(&PaymentId, Date, Decimal)> = Vec::new();
        for (id, payment, booked_on, net) in payments {
            draft.paid += net;
            for at in &gives_up_interest {
                draft.claims[*at].give_up_interest(booked_on, limits);
            }
            let mut parts = Vec::new();
            let allocated = match payment.designation_as_of(as_of) {
                Some(invoice) => match draft.find(invoice) {
                    Some(at) => draft.pay_designated(at, net, booked_on, &mut parts),
                    None => {
                        draft.unallocated += net; // waits for its invoice
                        continue;
                    }
                },
                None => draft.pay_by_law(net, booked_on, &mut parts),
            };
            if allocated.implied {
                draft.implied.insert(id);
            }
            if allocated.rest > Decimal::ZERO {
                left_over.push((id, booked_on, allocated.rest));
            }
            if !parts.is_empty() {
                draft.used.insert(id, parts);
            }
        }
        for (id, booked_on, rest) in left_over {
            let mut parts = Vec::new();
            let rest = draft.set_off(rest, booked_on, &mut parts);
            draft.unallocated += rest;
            if !parts.is_empty() {
                draft.used.entry(id).or_default().extend(parts);
            }
        }
        draft.set_off_credits();
        for parts in draft.used.values_mut() {
            merge(parts);
        }
        for claim in &mut draft.claims {
            claim.give_up_interest(Date::MAX, limits);
            claim.give_up(limits, &mut draft.relieved);
        }
        draft
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
            .filter(|at| self.claims[*at].column.is_open())
            .map(|at| (at, self.claims[at].debt(on, false)))
            .filter(|(_, debt)| debt.open() > Decimal::ZERO)
            .unzip();
        let allocated = allocation::by_law(&debts, money, decimals(self.currency).unwrap_or(2));
        self.book(&allocated, &places, on, false, parts);
        allocated
    }

    /// Uses what credit notes left over beyond their invoices for the principal of other claims, as
    /// money left over is; what then is left waits as credit. Costs are no matter of a credit note.
    fn set_off_credits(&mut self) {
        let notes = self.claims.iter().flat_map(|one| one.claim.credited_beyond());
        let mut notes: Vec<(&'a CreditId, Date, Decimal)> = notes.collect();
        notes.sort_by_key(|(note, on, _)| (*on, *note));
        for (note, on, amount) in notes {
            let mut rest = amount;
            for at in self.in_order_of_set_off(on) {
                let one = &mut self.claims[at];
                let on = on.max(one.claim.invoice.as_ref().map_or(on, |i| i.issued_on));
                let taken = one.column.set_off_credit(note, on, rest);
                rest -= taken;
                if taken > Decimal::ZERO {
                    self.relieved.entry(one.invoice).or_default().push((on, taken));
                }
            }
            self.unallocated += rest;
        }
    }

    /// Open claims, undisputed ones first, then the oldest.
    fn in_order_of_set_off(&self, on: Date) -> Vec<usize> {
        let mut order: Vec<usize> =
            (0..self.claims.len()).filter(|at| self.claims[*at].column.is_open()).collect();
        order.sort_by_key(|at| {
            let one = &self.claims[*at];
            (one.claim.disputed_on(on), one.column.due_on)
        });
        order
    }

    /// Uses what was left over for whatever is open, oldest first, costs included.
    fn set_off(&mut self, money: Decimal, on: Date, parts: &mut Vec<Allocation>) -> Decimal {
        let mut rest = money;
        for at in self.in_order_of_set_off(on) {
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
            let one = &mut self.claims[places[applied.debt]];
            one.column.take(part, amount, on, set_off);
            if set_off && part == Part::Principal {
                self.relieved.entry(one.invoice).or_default().push((on, amount));
            }
            parts.push(Allocation { invoice: one.invoice.clone(), part, amount });
        }
    }
}

/// Days of waivers and write-offs of all that is open, after which money went back, in order.
fn days_to_look_back_at(account: &Account, currency: Currency) -> BTreeSet<Date> {
    let back = account.payments.values().flat_map(|payment| {
        let returned = payment.returned.iter().map(|one| one.on);
        returned.chain(payment.refunded.iter().map(|(on, _)| *on))
    });
    let Some(last) = back.max() else { return BTreeSet::new() };
    let claims = account.claims.values().filter(|claim| claim.currency() == Some(currency));
    let given = claims.flat_map(|claim| claim.given_up.values());
    given.filter(|one| one.amount.is_none() && one.on < last).map(|one| one.on).collect()
}

/// Whether a claim has a column in the book of `currency`.
pub(super) fn is_in(claim: &Claim, currency: Currency) -> bool {
    claim.currency() == Some(currency)
}

/// The claims before any money, with the fees charged by `day`.
fn open_claims<'a>(
    account: &'a Account,
    currency: Currency,
    day: Date,
    relief: &Relief<'a>,
) -> Vec<Entered<'a>> {
    let mut claims: Vec<Entered<'_>> = Vec::with_capacity(account.claims.len());
    // What the bank charged for returns, by the claim that the payment was meant for.
    let mut returns: BTreeMap<&InvoiceId, Vec<(Date, Decimal)>> = BTreeMap::new();
    for payment in account.payments.values().filter(|payment| !payment.returned.is_empty()) {
        if let Some(meant) = payment.designation() {
            returns.entry(meant).or_default().extend(payment.return_fees(currency));
        }
    }
    for (id, claim) in &account.claims {
        let (Some(invoice), Some(due_on)) = (&claim.invoice, claim.due_on()) else { continue };
        if !is_in(claim, currency) {
            continue;
        }
        let mut fee_rows: Vec<(Date, Decimal)> =
            claim.fees.iter().filter(|fee| !fee.reversed).map(|fee| (fee.on, fee.amount)).collect();
        if !claim.never_owed() {
            fee_rows.extend(returns.get(id).into_iter().flatten().copied());
        }
        fee_rows.retain(|(on, _)| *on <= day);
        fee_rows.sort_unstable();
        let mut column = Column::new(account, id, claim, invoice, due_on, fee_rows);
        for (on, amount) in relief.get(id).into_iter().flatten() {
            column.relieve(*on, *amount);
        }
        claims.push(Entered { invoice: id, claim, column });
    }
    claims
}

/// How the debtor has paid so far, promises aside.
fn history(claims: &[Entered<'_>]) -> History {
    let (mut paid, mut late, mut days) = (0u32, 0u32, 0i64);
    let mut disputes = 0;
    for Entered { claim, column, .. } in claims {
        disputes += claim.disputes.values().filter(|dispute| dispute.opened.is_some()).count();
        let Some(settled) = column.principal_settled_on.filter(|_| column.by_money) else {
            continue;
        };
        paid += 1;
        let over = (settled - column.due_on).get_days();
        if over > 0 {
            late += 1;
            days += i64::from(over);
        }
    }
    let share = |part: i64| match part {
        0 => Decimal::ZERO,
        _ => (Decimal::from(part) / Decimal::from(paid)).round_dp(4),
    };
    History {
        invoices_paid: paid,
        late_share: share(i64::from(late)),
        average_days_late: share(days),
        promises_kept: 0,
        disputes: u32::try_from(disputes).unwrap_or(u32::MAX),
    }
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
