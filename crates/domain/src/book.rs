//! The books of an account in one currency: what is owed and how each payment is used.
//!
//! A pure function of the facts. The order in which they arrived is not among its inputs, so it
//! cannot change the result; time is not either, so nothing moves while nobody acts.
//!
//! Order of payments: booking day, then payment id. A payment goes
//! - to the claim that the debtor designated (§ 366 (1) BGB); money for a claim that is not known
//!   yet waits as credit and pays nothing else;
//! - without designation to the claim whose open principal it equals to the cent (an implied
//!   designation), else in the order of § 366 (2) BGB: due before not due, higher rate, older,
//!   claims of the same age pro rata. Claims that were disputed on the booking day come after
//!   all others: whoever disagrees with one claim and pays without a word means the others;
//! - within a claim to costs, interest, principal (§ 367 (1) BGB), costs only as far as they had
//!   been charged by the booking day. A payment that equals the open principal to the cent goes
//!   to the principal; the fee stays visible.
//!
//! What is left over of one claim pays the account's other claims, undisputed ones first, then the
//! oldest, costs included: nobody is reminded of a debt while we hold the money for it.
//!
//! A waiver or write-off of all that is open does not grow: it takes at most what would have been
//! open had no money gone back after its day, and no fee been charged after it. What goes back
//! later is owed again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::{
    account::{Account, Payment},
    claim::Claim,
    event::Allocation,
    fact::{Part, Stamp},
    ids::*,
    money::{Currency, Decimal, cut, decimals},
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
    /// Received less returned and refunded.
    pub paid: Decimal,
    /// Money beyond what is owed, and credit notes beyond what was invoiced.
    pub unallocated: Decimal,
}

/// A claim's column in the books.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimBook<'a> {
    /// Claim.
    pub invoice: &'a InvoiceId,
    /// Its facts.
    pub claim: &'a Claim,
    /// Due date as rescheduled.
    pub due_on: Date,
    /// With the latest adjustment, zero once cancelled.
    pub principal: Decimal,
    /// Credit notes, as far as they meet principal.
    pub credited: Decimal,
    /// Taken off by disputes beyond the credit notes.
    pub remitted: Decimal,
    /// Waived, all parts.
    pub waived: Decimal,
    /// Written off, all parts.
    pub written_off: Decimal,
    /// Principal paid.
    pub paid: Decimal,
    /// Fees paid.
    pub fees_paid: Decimal,
    /// Fees charged and not reversed, the bank's for returned debits included.
    pub fees_charged: Decimal,
    /// Principal still owed.
    pub outstanding: Decimal,
    /// Fees still owed.
    pub fees: Decimal,
    /// Day on which the principal came to nothing, where it did.
    pub principal_settled_on: Option<Date>,
    /// Latest day on which anything of it was paid or given up.
    pub last_moved_on: Option<Date>,
    /// Some of it was paid by money.
    pub by_money: bool,
    principal_moved_on: Option<Date>,
    /// Day, amount and what is open of each fee.
    fee_rows: Vec<(Date, Decimal, Decimal)>,
    /// Fees and principal that each waiver and write-off took.
    given_up: BTreeMap<&'a Stamp, (Decimal, Decimal)>,
}

/// The most that a waiver or write-off of all that is open takes of fees and principal.
type Limits<'a> = BTreeMap<(&'a InvoiceId, &'a Stamp), (Decimal, Decimal)>;

impl ClaimBook<'_> {
    /// Principal and fees still owed.
    pub fn open(&self) -> Decimal {
        self.outstanding + self.fees
    }

    /// Some of the principal went on `on`. Money set off is used after money that was booked
    /// later, so the day on which nothing was left is the latest of all.
    fn principal_moved(&mut self, on: Date) {
        self.last_moved_on = self.last_moved_on.max(Some(on));
        self.principal_moved_on = self.principal_moved_on.max(Some(on));
        if self.outstanding.is_zero() {
            self.principal_settled_on = self.principal_moved_on;
        }
    }

    /// Fees charged after `day`, paid ones included.
    pub(crate) fn fees_charged_after(&self, day: Date) -> Decimal {
        self.fee_rows.iter().filter(|(on, ..)| *on > day).map(|(_, amount, _)| *amount).sum()
    }

    /// Day on which nothing was open any more; `None` while something is.
    pub fn settled_on(&self) -> Option<Date> {
        let issued_on = self.claim.invoice.as_ref().map(|invoice| invoice.issued_on);
        let day = self.principal_settled_on.max(self.last_moved_on).or(issued_on);
        day.filter(|_| self.open().is_zero())
    }

    fn rate(&self) -> Decimal {
        self.claim.invoice.as_ref().and_then(|i| i.contract_rate).unwrap_or_default()
    }

    /// Uses up to `money` for `part`; how much of it.
    fn take(&mut self, part: Part, money: Decimal, on: Date, late_fees: bool) -> Decimal {
        match part {
            Part::Interest => Decimal::ZERO, // accrues nothing yet
            Part::Principal => {
                let used = money.min(self.outstanding);
                self.outstanding -= used;
                self.paid += used;
                if used > Decimal::ZERO {
                    self.by_money = true;
                    self.principal_moved(on);
                }
                used
            }
            Part::Fees => {
                let mut rest = money;
                for (charged_on, _, open) in &mut self.fee_rows {
                    if late_fees || *charged_on <= on {
                        let used = rest.min(*open);
                        *open -= used;
                        rest -= used;
                    }
                }
                let used = money - rest;
                self.fees -= used;
                self.fees_paid += used;
                if used > Decimal::ZERO {
                    self.last_moved_on = self.last_moved_on.max(Some(on));
                }
                used
            }
        }
    }
}

impl<'a> Book<'a> {
    /// Computes the books of `account` in `currency`.
    pub fn of(account: &'a Account, currency: Currency) -> Self {
        let mut limits = Limits::new();
        for day in days_to_look_back_at(account, currency) {
            for column in Self::as_if(account, currency, day, &limits).claims {
                let on_that_day = column.claim.given_up.iter().filter(|(_, one)| one.on == day);
                for stamp in on_that_day.map(|(stamp, _)| stamp) {
                    let took = column.given_up.get(stamp).copied().unwrap_or_default();
                    limits.insert((column.invoice, stamp), took);
                }
            }
        }
        Self::as_if(account, currency, Date::MAX, &limits)
    }

    /// The books as if nothing had gone back and no fee been charged after `day`.
    fn as_if(account: &'a Account, currency: Currency, day: Date, limits: &Limits<'a>) -> Self {
        let mut book = Self {
            currency,
            claims: open_claims(account, currency, day),
            used: BTreeMap::new(),
            paid: Decimal::ZERO,
            unallocated: Decimal::ZERO,
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
        let mut left_over: Vec<(&PaymentId, Date, Decimal)> = Vec::new();
        for (id, payment, booked_on, net) in payments {
            book.paid += net;
            let mut parts = Vec::new();
            let rest = match payment.designation() {
                Some(invoice) => match book.find(invoice) {
                    Some(at) => book.pay(at, net, booked_on, false, &mut parts),
                    None => {
                        book.unallocated += net; // waits for its invoice
                        continue;
                    }
                },
                None => book.pay_in_order(net, booked_on, &mut parts),
            };
            if rest > Decimal::ZERO {
                left_over.push((id, booked_on, rest));
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
        book.give_up(limits);
        book
    }

    /// The column of a claim.
    pub fn claim(&self, invoice: &InvoiceId) -> Option<&ClaimBook<'a>> {
        self.find(invoice).map(|at| &self.claims[at])
    }

    /// Principal and fees owed on all claims.
    pub fn open(&self) -> Decimal {
        self.claims.iter().map(ClaimBook::open).sum()
    }

    fn find(&self, invoice: &InvoiceId) -> Option<usize> {
        self.claims.binary_search_by(|claim| claim.invoice.cmp(invoice)).ok()
    }

    /// Pays one claim by § 367; what is left over.
    fn pay(
        &mut self,
        at: usize,
        money: Decimal,
        on: Date,
        late_fees: bool,
        parts: &mut Vec<Allocation>,
    ) -> Decimal {
        let claim = &mut self.claims[at];
        let exact = money == claim.outstanding;
        let credit = claim.claim.invoice.as_ref().is_some_and(|invoice| invoice.consumer_credit);
        let order = match (exact, credit) {
            (true, _) => [Part::Principal, Part::Fees, Part::Interest],
            // § 497 (3) BGB
            (false, true) => [Part::Fees, Part::Principal, Part::Interest],
            (false, false) => [Part::Fees, Part::Interest, Part::Principal],
        };
        let mut rest = money;
        for part in order {
            let used = claim.take(part, rest, on, late_fees);
            if used > Decimal::ZERO {
                rest -= used;
                parts.push(Allocation { invoice: claim.invoice.clone(), part, amount: used });
            }
        }
        rest
    }

    /// Pays without designation, § 366 (2); what is left over.
    fn pay_in_order(&mut self, money: Decimal, on: Date, parts: &mut Vec<Allocation>) -> Decimal {
        let mut order: Vec<usize> =
            (0..self.claims.len()).filter(|at| self.claims[*at].open() > Decimal::ZERO).collect();
        let rank = |claim: &ClaimBook<'_>| {
            let disputed = claim.claim.disputed_on(on);
            (disputed, claim.due_on > on, std::cmp::Reverse(claim.rate()), claim.due_on)
        };
        order.sort_by_key(|at| rank(&self.claims[*at]));
        if let Some(exact) = order.iter().find(|at| self.claims[**at].outstanding == money) {
            return self.pay(*exact, money, on, false, parts);
        }
        let mut rest = money;
        let mut from = 0;
        while from < order.len() && rest > Decimal::ZERO {
            let same = rank(&self.claims[order[from]]);
            let to = from
                + order[from..].iter().take_while(|at| rank(&self.claims[**at]) == same).count();
            for (at, share) in self.pro_rata(&order[from..to], rest) {
                rest -= share - self.pay(at, share, on, false, parts);
            }
            from = to;
        }
        rest
    }

    /// Splits `money` over claims of the same rank in proportion to what is open, to the cent;
    /// the cents that do not divide go to the first.
    fn pro_rata(&self, group: &[usize], money: Decimal) -> Vec<(usize, Decimal)> {
        if let [only] = group {
            return vec![(*only, money)];
        }
        let open: Vec<Decimal> = group.iter().map(|at| self.claims[*at].open()).collect();
        let all: Decimal = open.iter().sum();
        if money >= all {
            return group.iter().copied().zip(open).collect();
        }
        let scale = decimals(self.currency).unwrap_or(2);
        let mut shares: Vec<Decimal> =
            open.iter().map(|one| (money * *one / all).trunc_with_scale(scale)).collect();
        let mut rest = money - shares.iter().sum::<Decimal>();
        for (share, one) in shares.iter_mut().zip(&open) {
            let more = rest.min(*one - *share);
            *share += more;
            rest -= more;
        }
        group.iter().copied().zip(shares).collect()
    }

    /// Uses what was left over for whatever is open, oldest first, costs included.
    fn set_off(&mut self, money: Decimal, on: Date, parts: &mut Vec<Allocation>) -> Decimal {
        let mut order: Vec<usize> =
            (0..self.claims.len()).filter(|at| self.claims[*at].open() > Decimal::ZERO).collect();
        let rank = |claim: &ClaimBook<'_>| (claim.claim.disputed_on(on), claim.due_on);
        order.sort_by_key(|at| rank(&self.claims[*at]));
        let mut rest = money;
        for at in order {
            if rest.is_zero() {
                break;
            }
            // Money cannot settle a claim before there was one.
            let issued = self.claims[at].claim.invoice.as_ref().map_or(on, |i| i.issued_on);
            rest = self.pay(at, rest, on.max(issued), true, parts);
        }
        rest
    }

    /// Waivers and write-offs take what is still open, in the order of their stamps.
    fn give_up(&mut self, limits: &Limits<'a>) {
        for column in &mut self.claims {
            for (stamp, given) in &column.claim.given_up {
                let parts = match given.part {
                    Some(part) => vec![part],
                    None => vec![Part::Fees, Part::Interest, Part::Principal],
                };
                let amount = given.amount.map(|amount| cut(amount, self.currency));
                let mut rest = amount.unwrap_or(Decimal::MAX);
                let limit = limits.get(&(column.invoice, stamp)).filter(|_| amount.is_none());
                let limit = limit.copied().unwrap_or((Decimal::MAX, Decimal::MAX));
                let mut took = (Decimal::ZERO, Decimal::ZERO);
                for part in parts {
                    let (open, took, most) = match part {
                        Part::Fees => (&mut column.fees, &mut took.0, limit.0),
                        Part::Principal => (&mut column.outstanding, &mut took.1, limit.1),
                        Part::Interest => continue,
                    };
                    let used = rest.min(*open).min(most);
                    *open -= used;
                    *took += used;
                    rest -= used;
                    if given.written_off {
                        column.written_off += used;
                    } else {
                        column.waived += used;
                    }
                    if used.is_zero() {
                        continue;
                    }
                    match part {
                        Part::Principal => column.principal_moved(given.on),
                        _ => column.last_moved_on = column.last_moved_on.max(Some(given.on)),
                    }
                }
                column.given_up.insert(stamp, took);
            }
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
fn open_claims(account: &Account, currency: Currency, day: Date) -> Vec<ClaimBook<'_>> {
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
        let principal = claim.principal();
        let payable = claim.payable();
        let credited = claim.credited().min(principal);
        let mut fee_rows: Vec<(Date, Decimal)> =
            claim.fees.iter().filter(|fee| !fee.reversed).map(|fee| (fee.on, fee.amount)).collect();
        if claim.cancelled_on.is_none() {
            fee_rows.extend(returns.get(id).into_iter().flatten().copied());
        }
        fee_rows.retain(|(on, _)| *on <= day);
        fee_rows.sort_unstable();
        let fees: Decimal = fee_rows.iter().map(|(_, amount)| *amount).sum();
        let fee_rows = fee_rows.into_iter().map(|(on, amount)| (on, amount, amount)).collect();
        let nothing_left = payable.is_zero().then(|| {
            let credit_days = claim.credits.values().map(|(day, _)| *day);
            let dispute_days = claim.disputes.values().filter_map(|d| Some(d.resolved?.0));
            let adjusted = claim.adjusted.as_ref().map(|(_, day, _)| *day);
            claim
                .cancelled_on
                .or_else(|| credit_days.chain(dispute_days).chain(adjusted).max())
                .unwrap_or(invoice.issued_on)
        });
        columns.push(ClaimBook {
            invoice: id,
            claim,
            due_on,
            principal,
            credited,
            remitted: principal - credited - payable,
            waived: Decimal::ZERO,
            written_off: Decimal::ZERO,
            paid: Decimal::ZERO,
            fees_paid: Decimal::ZERO,
            fees_charged: fees,
            outstanding: payable,
            fees,
            principal_settled_on: nothing_left,
            last_moved_on: None,
            principal_moved_on: None,
            by_money: false,
            fee_rows,
            given_up: BTreeMap::new(),
        });
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
