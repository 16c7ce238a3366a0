//! A claim's column in the books: its figures, and what money and waivers do to them.

use std::collections::BTreeMap;

use jiff::{ToSpan, civil::Date};

use super::{Limits, Relief};
use crate::{
    account::Account,
    accrual::{Accrual, Accrued},
    claim::{Claim, GivenUp},
    fact::{Invoice, Part, Stamp},
    ids::{CreditId, InvoiceId},
    law::allocation::Debt,
    money::{Currency, Decimal, cut, decimals},
};

/// The figures of a claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Due date as rescheduled.
    pub due_on: Date,
    /// With the latest adjustment, zero once cancelled.
    pub principal: Decimal,
    /// Credit notes, as far as they meet principal; those for other claims in it that were larger
    /// than these.
    pub credited: Decimal,
    /// Of `credited`, what credit notes for other claims left over: which, its day, how much.
    pub credited_from: Vec<(CreditId, Date, Decimal)>,
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
    /// Interest paid.
    pub interest_paid: Decimal,
    /// Interest waived or written off.
    pub interest_given_up: Decimal,
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
    currency: Currency,
    principal_moved_on: Option<Date>,
    issued_on: Date,
    /// Whether anything is owed, once all money is entered.
    open: Option<bool>,
    /// Day, amount and what is open of each fee.
    fee_rows: Vec<(Date, Decimal, Decimal)>,
    accrual: Accrual,
    /// What each waiver and write-off took, by [`Part`].
    given_up: BTreeMap<Stamp, [Decimal; 3]>,
}

/// A claim while money is entered into its column.
pub(super) struct Entered<'a> {
    pub invoice: &'a InvoiceId,
    pub claim: &'a Claim,
    pub column: Column,
}

impl Column {
    /// The column before any money. `fee_rows`: day and amount of each fee that counts.
    pub(super) fn new(
        account: &Account,
        id: &InvoiceId,
        claim: &Claim,
        invoice: &Invoice,
        due_on: Date,
        fee_rows: Vec<(Date, Decimal)>,
    ) -> Self {
        let principal = claim.principal();
        let payable = claim.payable();
        let credited = claim.credited().min(principal);
        let fees: Decimal = fee_rows.iter().map(|(_, amount)| *amount).sum();
        let nothing_left = payable.is_zero().then(|| {
            let credit_days = claim.credits.values().map(|(day, _)| *day);
            let dispute_days = claim.disputes.values().filter_map(|d| Some(d.decided()?.0));
            let adjusted = claim.adjusted.as_deref().map(|(_, day, _)| *day);
            claim
                .cancelled_on
                .or_else(|| credit_days.chain(dispute_days).chain(adjusted).max())
                .unwrap_or(invoice.issued_on)
        });
        Self {
            due_on,
            principal,
            credited,
            credited_from: Vec::new(),
            remitted: principal - credited - payable,
            waived: Decimal::ZERO,
            written_off: Decimal::ZERO,
            paid: Decimal::ZERO,
            fees_paid: Decimal::ZERO,
            interest_paid: Decimal::ZERO,
            interest_given_up: Decimal::ZERO,
            fees_charged: fees,
            outstanding: payable,
            fees,
            principal_settled_on: nothing_left,
            last_moved_on: None,
            by_money: false,
            currency: invoice.amount.currency,
            principal_moved_on: None,
            issued_on: invoice.issued_on,
            open: None,
            fee_rows: fee_rows.into_iter().map(|(on, amount)| (on, amount, amount)).collect(),
            accrual: Accrual::of(account, id, claim, payable),
            given_up: BTreeMap::new(),
        }
    }

    /// Interest owed up to the end of `day`: accrued, rounded once, less what was paid or given up.
    /// Days whose base rate is not published yet do not count, see [`interest_to`](Self::interest_to).
    pub fn interest_on(&self, day: Date) -> Decimal {
        if self.accrual.is_none() {
            return Decimal::ZERO;
        }
        (self.accrued(day) - self.interest_paid - self.interest_given_up).max(Decimal::ZERO)
    }

    /// Interest charged up to the end of `day`, whatever became of it.
    pub fn interest_charged(&self, day: Date) -> Decimal {
        self.interest_on(day) + self.interest_paid + self.interest_given_up
    }

    /// The last day for which [`interest_on`](Self::interest_on) is the same as for `day`: base rates
    /// may not be published further. `None` where no interest has begun.
    pub fn interest_to(&self, day: Date) -> Option<Date> {
        self.accrual.told_to(self.until(day))
    }

    /// The last day that is counted in it, for people to read.
    pub fn interest_counted_to(&self, day: Date) -> Option<Date> {
        self.accrual.counted_to(self.until(day))
    }

    /// The segments that make up the interest accrued up to the end of `day`.
    pub fn interest_segments(&self, day: Date) -> Vec<Accrued> {
        self.accrual.segments(self.until(day))
    }

    /// Interest runs on it, or may: it is in default or will be unless it is paid before.
    pub fn bears_interest(&self) -> bool {
        !self.accrual.is_none()
    }

    fn accrued(&self, day: Date) -> Decimal {
        let exact = self.accrual.accrued(self.until(day));
        exact.rounded(decimals(self.currency).unwrap_or(2))
    }

    /// Nothing accrues once the principal is gone.
    fn until(&self, day: Date) -> Date {
        self.principal_settled_on.filter(|_| self.outstanding.is_zero()).map_or(day, |d| d.min(day))
    }

    /// Principal, fees, and interest up to the end of `day`, still owed.
    pub fn open_on(&self, day: Date) -> Decimal {
        if self.open == Some(false) {
            return Decimal::ZERO;
        }
        self.outstanding + self.fees + self.interest_on(day)
    }

    /// The first day after `today` on which interest has made `enough` of what is open; `None` where
    /// it does not within ten years, or by the base rates that are published.
    pub(crate) fn grows_until(
        &self,
        enough: impl Fn(Decimal) -> bool,
        today: Date,
    ) -> Option<Date> {
        let day = |days: i64| today.saturating_add(days.days());
        let holds = |days: i64| enough(self.open_on(day(days)));
        let (mut before, mut by) = (0, 3653);
        if !self.bears_interest() || !holds(by) {
            return None;
        }
        while by - before > 1 {
            let between = (before + by) / 2;
            match holds(between) {
                true => by = between,
                false => before = between,
            }
        }
        Some(day(by))
    }

    /// Anything is owed, interest included. It does not depend on the day: without principal no
    /// more interest accrues.
    pub fn is_open(&self) -> bool {
        self.open.unwrap_or_else(|| {
            !(self.outstanding + self.fees).is_zero() || self.interest_on(Date::MAX) > Decimal::ZERO
        })
    }

    /// All money is entered: what is asked often is settled once.
    pub(super) fn closed(mut self) -> Self {
        self.open = Some(self.is_open());
        self
    }

    /// First day of interest that needs a base rate.
    pub(crate) fn needs_base_rates_from(&self) -> Option<Date> {
        self.accrual.needs_base_rates_from()
    }

    /// Fees charged after `day`, paid ones included.
    pub(crate) fn fees_charged_after(&self, day: Date) -> Decimal {
        self.fee_rows.iter().filter(|(on, ..)| *on > day).map(|(_, amount, _)| *amount).sum()
    }

    /// Day on which nothing was open any more; `None` while something is.
    pub fn settled_on(&self) -> Option<Date> {
        let day = self.principal_settled_on.max(self.last_moved_on).unwrap_or(self.issued_on);
        (!self.is_open()).then_some(day)
    }

    /// Takes `amount` for `part`, which has so much open.
    pub(super) fn take(&mut self, part: Part, amount: Decimal, on: Date, set_off: bool) {
        self.last_moved_on = self.last_moved_on.max(Some(on));
        match part {
            Part::Interest => self.interest_paid += amount,
            Part::Principal => {
                self.outstanding -= amount;
                self.paid += amount;
                self.by_money = true;
                self.principal_moved(on);
                if !set_off {
                    self.accrual.principal_gone(on, amount);
                }
            }
            Part::Fees => {
                let mut rest = amount;
                for (charged_on, _, open) in &mut self.fee_rows {
                    if set_off || *charged_on <= on {
                        let used = rest.min(*open);
                        *open -= used;
                        rest -= used;
                    }
                }
                self.fees -= amount;
                self.fees_paid += amount;
            }
        }
    }

    /// Takes at most `amount` of what a credit note for another claim left over; how much it took.
    pub(super) fn set_off_credit(&mut self, note: &CreditId, on: Date, amount: Decimal) -> Decimal {
        let taken = amount.min(self.outstanding);
        if taken > Decimal::ZERO {
            self.outstanding -= taken;
            self.credited += taken;
            self.credited_from.push((note.clone(), on, taken));
            self.principal_moved(on);
        }
        taken
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

    /// What was set off or given up bears no interest after `on`.
    pub(super) fn relieve(&mut self, on: Date, amount: Decimal) {
        self.accrual.principal_gone(on, amount);
    }

    /// What a waiver or write-off took.
    pub(super) fn given_up_by(&self, stamp: &Stamp) -> [Decimal; 3] {
        self.given_up.get(stamp).copied().unwrap_or_default()
    }

    /// What a waiver or write-off took of a part.
    pub fn given_up_of(&self, stamp: &Stamp, part: Part) -> Decimal {
        self.given_up_by(stamp)[part as usize]
    }

    /// Gives up `parts`; of all that is open at most what `limit` says.
    fn give(
        &mut self,
        stamp: &Stamp,
        given: &GivenUp,
        parts: &[Part],
        limit: Option<&[Decimal; 3]>,
    ) {
        let amount = given.amount.map(|amount| cut(amount, self.currency));
        let mut rest = amount.unwrap_or(Decimal::MAX);
        let limit = limit.filter(|_| amount.is_none());
        let mut took = [Decimal::ZERO; 3];
        for part in parts {
            let open = match part {
                Part::Fees => self.fees,
                Part::Interest => self.interest_on(given.on),
                Part::Principal => self.outstanding,
            };
            let most = limit.map_or(Decimal::MAX, |limit| limit[*part as usize]);
            let used = rest.min(open).min(most);
            took[*part as usize] += used;
            rest -= used;
            if used.is_zero() {
                continue;
            }
            match part {
                Part::Fees => self.fees -= used,
                Part::Interest => self.interest_given_up += used,
                Part::Principal => {
                    self.outstanding -= used;
                    self.principal_moved(given.on);
                }
            }
            self.last_moved_on = self.last_moved_on.max(Some(given.on));
            if given.written_off {
                self.written_off += used;
            } else {
                self.waived += used;
            }
        }
        self.given_up.insert(stamp.clone(), took);
    }
}

impl<'a> Entered<'a> {
    /// The debt as the law of allocation sees it on `on`. `late_fees`: fees charged later count.
    pub(super) fn debt(&self, on: Date, late_fees: bool) -> Debt {
        let column = &self.column;
        let fees = column.fee_rows.iter().filter(|(charged_on, ..)| late_fees || *charged_on <= on);
        let invoice = self.claim.invoice.as_ref();
        let agreed = || invoice.and_then(|invoice| invoice.contract_rate).unwrap_or_default();
        Debt {
            costs: fees.map(|(.., open)| *open).sum(),
            interest: column.interest_on(on),
            principal: column.outstanding,
            due: column.due_on <= on,
            disputed: self.claim.disputed_on(on),
            security: 0,
            rate: column.accrual.percent_on(on).unwrap_or_else(agreed),
            due_on: column.due_on,
            consumer_credit: invoice.is_some_and(|invoice| invoice.consumer_credit),
        }
    }

    /// Some waiver or write-off is of interest alone.
    pub(super) fn gives_up_interest(&self) -> bool {
        self.claim.given_up.values().any(|one| one.part == Some(Part::Interest))
    }

    /// Waivers and write-offs of interest by `day` take what is open of it on their own day, before
    /// money that is booked on that day or later.
    pub(super) fn give_up_interest(&mut self, day: Date, limits: &Limits<'a>) {
        let claim = self.claim;
        let of_interest = claim.given_up.iter().filter(|(_, one)| one.part == Some(Part::Interest));
        for (stamp, given) in of_interest.filter(|(_, given)| given.on <= day) {
            if !self.column.given_up.contains_key(stamp) {
                let limit = limits.get(&(self.invoice, stamp));
                self.column.give(stamp, given, &[Part::Interest], limit);
            }
        }
    }

    /// All other waivers and write-offs take what is still open, in the order of their stamps.
    pub(super) fn give_up(&mut self, limits: &Limits<'a>, relieved: &mut Relief<'a>) {
        let claim = self.claim;
        for (stamp, given) in &claim.given_up {
            let parts = match &given.part {
                Some(Part::Interest) => continue,
                Some(part) => std::slice::from_ref(part),
                None => &[Part::Fees, Part::Interest, Part::Principal],
            };
            let before = self.column.outstanding;
            self.column.give(stamp, given, parts, limits.get(&(self.invoice, stamp)));
            if before > self.column.outstanding {
                let row = (given.on, before - self.column.outstanding);
                relieved.entry(self.invoice).or_default().push(row);
            }
        }
    }
}
