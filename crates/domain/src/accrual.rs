//! Interest of one claim: on which days it runs, at which rate, and on what.
//!
//! It runs while the claim is in default ([`default_periods`]) and the policy claims interest. It
//! rests
//! - while an instalment plan of the claim is kept: the rates are all that there is to pay;
//! - from a promise on, unless the promise is broken: then it is as if there had been none;
//! - on days for which a person said so (an override);
//! - from insolvency (§ 39 (1) no. 1 InsO) and from death on: a person goes on from there.
//!
//! It is computed on principal alone (§ 289 BGB). What of the principal was credited, remitted or
//! cancelled was never owed and bears none, from the beginning; what was paid, waived or set off
//! bears none from the day after. An increase of the invoice after default began bears none: the
//! Mahnung was not about it.

use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, Standing},
    book::Book,
    claim::Claim,
    fact::DebtorKind,
    ids::InvoiceId,
    law::{
        Seat, default_periods,
        interest::{
            DayCount, Exact, Factor, InterestError, Obligation, Rate, Segment, each_segment,
            statutory_rate,
        },
        rates::BaseRates,
    },
    money::{Currency, Decimal},
    policy::{InterestClaimed, Law},
};

/// Under which terms interest accrues on an account's claims in a currency. The latest terms that
/// have begun hold; a change works forward, never back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InterestTerms {
    /// Currency of the claims.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub currency: Currency,
    /// First day; [`Date::MIN`] for the first terms of an account.
    pub from: Date,
    /// Law and holidays of the creditor.
    pub seat: Seat,
    /// What is claimed.
    pub claimed: InterestClaimed,
    /// How days are counted.
    pub count: DayCount,
    /// The last day, that of the payment, counts as well.
    pub last_day_counts: bool,
}

impl InterestTerms {
    /// Whether both are the same but for the day from which they hold.
    pub fn same(&self, other: &Self) -> bool {
        *self == Self { from: self.from, ..other.clone() }
    }
}

/// The rate that a claim bears by law or agreement; `None`: none.
///
/// An agreed rate stands in for the statutory one (§ 288 (3) BGB). A policy may ask for less than
/// the law gives, never for more.
pub fn lawful_rate(claim: &Claim, terms: &InterestTerms, debtor: DebtorKind) -> Option<Rate> {
    let invoice = claim.invoice.as_ref()?;
    let obligation = Obligation {
        debtor,
        supply: invoice.supply,
        arose_on: Some(invoice.contract_on.unwrap_or(invoice.issued_on)),
        performed_on: None,
    };
    let agreed = invoice.contract_rate.map(Rate::Fixed);
    let lawful = agreed.or_else(|| statutory_rate(terms.seat.law, obligation));
    match (&terms.claimed, lawful) {
        (InterestClaimed::None, _) => None,
        (InterestClaimed::Statutory, lawful) => lawful,
        (InterestClaimed::Percent(percent), Some(Rate::OverBase(points))) => {
            Some(Rate::AtMost(*percent, points))
        }
        (InterestClaimed::Percent(percent), Some(Rate::Fixed(most))) => {
            Some(Rate::Fixed(*percent.min(&most)))
        }
        (InterestClaimed::Percent(percent), None) if terms.seat.law == Law::None => {
            Some(Rate::Fixed(*percent))
        }
        (InterestClaimed::Percent(_), other) => other,
    }
}

/// Days on which a claim bears interest at one rate; both ends count, the last may be the end of
/// all days.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    from: Date,
    to: Date,
    rate: Rate,
    count: DayCount,
}

/// Interest of a claim.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Accrual {
    stretches: Vec<Stretch>,
    base_rates: Option<Arc<BaseRates>>,
    last_day_counts: bool,
    /// Principal that bears interest before any of it is gone.
    bearing: Decimal,
    /// Principal gone, by day.
    gone: Vec<(Date, Decimal)>,
}

/// A stretch of days with one rate on one principal, as a statement shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accrued {
    /// Days, rate and where it comes from.
    pub segment: Segment,
    /// What bore it.
    pub principal: Decimal,
    /// Exactly.
    pub exact: Exact,
}

impl Accrual {
    /// Interest of `claim`, of which `payable` is owed before any money. Nothing where the account
    /// has no terms in the claim's currency.
    pub(crate) fn of(account: &Account, id: &InvoiceId, claim: &Claim, payable: Decimal) -> Self {
        let Some(invoice) = &claim.invoice else { return Self::default() };
        let currency = invoice.amount.currency;
        let terms: Vec<&InterestTerms> =
            account.interest.iter().filter(|terms| terms.currency == currency).collect();
        let Some(latest) = terms.last() else { return Self::default() };
        let debtor = account.profile();
        let periods = default_periods(claim, latest.seat, debtor);
        let Some(first) = periods.first() else { return Self::default() };
        let kind = debtor.map_or(DebtorKind::Consumer, |debtor| debtor.kind);
        let days = periods.iter().map(|period| (period.from, period.to.unwrap_or(Date::MAX)));
        let mut stretches = Vec::new();
        for (from, to) in without(days.collect(), pauses(account, id, invoice.issued_on)) {
            for (at, one) in terms.iter().enumerate() {
                let next = terms.get(at + 1).map_or(Date::MAX, |next| before(next.from));
                let (from, to) = (from.max(one.from), to.min(next));
                if from <= to
                    && let Some(rate) = lawful_rate(claim, one, kind)
                {
                    stretches.push(Stretch { from, to, rate, count: one.count });
                }
            }
        }
        let increase = claim.adjusted.as_deref().filter(|(_, on, _)| *on >= first.from);
        let increase = increase.filter(|(.., amount)| amount.currency == currency);
        let increase = increase.map_or(Decimal::ZERO, |(.., amount)| {
            (amount.amount - invoice.amount.amount).max(Decimal::ZERO)
        });
        Self {
            stretches,
            base_rates: account.base_rates.clone(),
            last_day_counts: latest.last_day_counts,
            bearing: (payable - increase).max(Decimal::ZERO),
            gone: Vec::new(),
        }
    }

    /// Whether there can be any interest at all.
    pub fn is_none(&self) -> bool {
        self.stretches.is_empty()
    }

    /// First day on which the rate moves with the base rate.
    pub(crate) fn needs_base_rates_from(&self) -> Option<Date> {
        let based = self.stretches.iter().filter(|stretch| stretch.rate.needs_base());
        based.map(|stretch| stretch.from).min()
    }

    /// `amount` of the principal was gone at the end of `on`.
    pub(crate) fn principal_gone(&mut self, on: Date, amount: Decimal) {
        if !self.is_none() && amount > Decimal::ZERO {
            let at = self.gone.partition_point(|(day, _)| *day <= on);
            self.gone.insert(at, (on, amount));
        }
    }

    /// The last day for which interest up to `to` can be told: base rates may not be published
    /// further. `None`: no day yet.
    pub fn told_to(&self, to: Date) -> Option<Date> {
        let begun = self.stretches.iter().filter(|stretch| stretch.from <= to);
        begun.filter_map(|stretch| self.end(stretch, to)).max()
    }

    /// The last day that is counted in it: the one before, where the last day does not count.
    pub fn counted_to(&self, to: Date) -> Option<Date> {
        self.told_to(if self.last_day_counts { to } else { before(to) })
    }

    /// Percent a year on `day`, where interest runs on it.
    pub fn percent_on(&self, day: Date) -> Option<Decimal> {
        let stretch = self.stretches.iter().find(|one| one.from <= day && day <= one.to)?;
        let mut percent = None;
        self.cut(stretch, (day, day), |segment| percent = Some(segment.percent));
        percent
    }

    /// Interest accrued up to the end of `to`.
    pub fn accrued(&self, to: Date) -> Exact {
        let mut sum = Exact::default();
        self.each(to, |one| sum = sum + one.exact);
        sum
    }

    /// The segments of which [`accrued`](Self::accrued) is the sum, in time.
    pub fn segments(&self, to: Date) -> Vec<Accrued> {
        let mut segments = Vec::new();
        self.each(to, |one| segments.push(one));
        segments
    }

    fn each(&self, to: Date, mut each: impl FnMut(Accrued)) {
        let to = if self.last_day_counts { to } else { before(to) };
        for stretch in &self.stretches {
            let Some(end) = self.end(stretch, to) else { continue };
            let mut from = stretch.from;
            let mut principal = self.bearing;
            for (on, amount) in &self.gone {
                let last = if self.last_day_counts { *on } else { before(*on) };
                if last >= end {
                    break;
                }
                if last >= from {
                    self.on(stretch, (from, last), principal, &mut each);
                    from = last.tomorrow().unwrap_or(last);
                }
                principal = (principal - *amount).max(Decimal::ZERO);
            }
            self.on(stretch, (from, end), principal, &mut each);
        }
    }

    fn on(
        &self,
        stretch: &Stretch,
        days: (Date, Date),
        principal: Decimal,
        each: &mut impl FnMut(Accrued),
    ) {
        if principal > Decimal::ZERO {
            self.cut(stretch, days, |segment| {
                each(Accrued { segment, principal, exact: Factor::of(&segment).on(principal) });
            });
        }
    }

    fn cut(&self, stretch: &Stretch, (from, to): (Date, Date), each: impl FnMut(Segment)) {
        let none = BaseRates::from(Vec::new());
        let rates = self.base_rates.as_deref().unwrap_or(&none);
        // Days without a base rate were cut off by `end`; rates that cannot be exact accrue nothing.
        let _unknown: Result<(), InterestError> =
            each_segment(stretch.rate, rates, stretch.count, from, to, each);
    }

    /// Last day of a stretch by `to` for which its rate is known.
    fn end(&self, stretch: &Stretch, to: Date) -> Option<Date> {
        let known = match stretch.rate.needs_base() {
            false => Date::MAX,
            true => {
                let rates = self.base_rates.as_ref()?;
                (rates.first_day() <= stretch.from).then(|| rates.last_day())?
            }
        };
        let end = to.min(stretch.to).min(known);
        (stretch.from <= end).then_some(end)
    }
}

impl Account {
    /// The first day for which base rates are needed: the first day of default, known or foreseen,
    /// of any claim. Settled ones count as well: whether a claim is settled depends on how money is
    /// allocated, and that on the rates.
    pub(crate) fn needs_base_rates_from(&self) -> Option<Date> {
        if self.interest.is_empty() {
            return None;
        }
        Book::all(self)
            .flat_map(|book| book.claims)
            .filter_map(|column| column.needs_base_rates_from())
            .min()
    }
}

/// Days on which a claim issued on `issued_on` bears no interest although it is late.
fn pauses(account: &Account, id: &InvoiceId, issued_on: Date) -> Vec<(Date, Date)> {
    let mut pauses = Vec::new();
    for plan in account.plans.values().filter(|plan| plan.claims.contains(id)) {
        let to = match plan.standing {
            Standing::Open => Date::MAX,
            Standing::Kept => plan.ended_on.unwrap_or(Date::MAX),
            Standing::Broken => plan.ended_on.unwrap_or(plan.on),
        };
        pauses.push((after(plan.on), to));
    }
    for promise in account.promises.values().filter(|promise| issued_on <= promise.on) {
        let to = match promise.standing {
            Standing::Open => Date::MAX,
            Standing::Kept => promise.ended_on.unwrap_or(promise.until),
            Standing::Broken => continue,
        };
        pauses.push((after(promise.on), to));
    }
    pauses.extend(account.interest_free(id));
    let ends = [account.insolvent_on, account.deceased_on];
    pauses.extend(ends.into_iter().flatten().map(|day| (day, Date::MAX)));
    pauses.sort_unstable();
    pauses
}

/// `days` without `pauses`, both in order of their beginnings.
fn without(days: Vec<(Date, Date)>, pauses: Vec<(Date, Date)>) -> Vec<(Date, Date)> {
    let mut left = days;
    for (from, to) in pauses.into_iter().filter(|(from, to)| from <= to) {
        let cut = left.into_iter().flat_map(|(begins, ends)| {
            if to < begins || ends < from {
                return [Some((begins, ends)), None];
            }
            let earlier = (begins < from).then(|| (begins, before(from)));
            let later = (to < ends).then(|| (after(to), ends));
            [earlier, later]
        });
        left = cut.flatten().collect();
    }
    left
}

fn before(day: Date) -> Date {
    day.yesterday().unwrap_or(day)
}

fn after(day: Date) -> Date {
    day.tomorrow().unwrap_or(day)
}
