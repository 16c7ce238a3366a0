//! What the book has seen: days on which claims stood in each cell, and payments on them.

use std::collections::{BTreeMap, HashMap};

use jiff::{civil::Date, tz::TimeZone};
use kulanz_domain::{
    Account,
    book::{Book, ClaimBook},
    calendar::day_in,
    claim::Claim,
    ids::InvoiceId,
    money::{Currency, Decimal, decimals},
};

use super::cells::{Cell, DayNumber, Names, STEPS, Sizes, Track, number};

/// Days and payments of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Days on which a claim stood in it.
    pub days: u64,
    /// Of these, days on which a claim was paid in full.
    pub paid: u64,
}

impl Count {
    pub fn add(&mut self, other: &Self) {
        self.days += other.days;
        self.paid += other.paid;
    }
}

/// The counts of a book in one currency.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub cells: HashMap<Cell, Count>,
    /// By time and step and then day of the window: how many more claims stand in it than the day
    /// before, and payments.
    pub daily: BTreeMap<Cell, Vec<(i64, u32)>>,
    /// Claims with at least a day of history.
    pub claims: u64,
    /// How often claims were taken out of a cell: something began to stay their dunning, or they
    /// came to their end without money.
    pub taken: HashMap<Cell, u64>,
    /// Of these, ends without money.
    pub gone: u64,
    /// Days that stays lasted, and how many of them ended.
    pub stayed: Count,
    /// Of these, with nothing left to pay.
    pub stayed_gone: u64,
}

/// The days that are learnt from: the first, and the first that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub first: DayNumber,
    pub end: DayNumber,
}

impl Window {
    /// How many days.
    pub fn days(self) -> usize {
        usize::try_from(self.end - self.first).unwrap_or(0)
    }
}

/// What became of a claim, as far as it is known before the window's end.
#[derive(Debug)]
pub(super) struct Told {
    pub track: Track,
    /// The first day on which it could be paid.
    pub from: DayNumber,
    /// The first day on which it could not be paid any more.
    pub to: DayNumber,
    /// It was paid in full on the day before `to`.
    pub paid: bool,
    /// Nothing was owed from `to` on, and no money had paid it.
    pub gone: bool,
}

impl Table {
    /// Counts the days of a claim.
    pub fn tell(&mut self, told: &Told, window: Window) {
        let from = told.from.max(window.first);
        let paid = told.paid && told.to <= window.end;
        let to = told.to.min(window.end);
        if from >= to {
            return;
        }
        self.claims += 1;
        let length = window.days() + 1;
        let mut before: Option<Cell> = None;
        told.track.spans(from, to, |first, end, cell| {
            match before.filter(|before| before.stayed != cell.stayed) {
                Some(_) if !cell.stayed => self.stayed.paid += 1,
                Some(before) => *self.taken.entry(before).or_default() += 1,
                None => {}
            }
            before = Some(cell);
            if cell.stayed {
                self.stayed.days += u64::from((end - first).unsigned_abs());
            }
            let paid = u32::from(paid && end == to);
            let count = self.cells.entry(cell).or_default();
            count.days += u64::from((end - first).unsigned_abs());
            count.paid += u64::from(paid);
            let daily = self.daily.entry(cell.at(STEPS)).or_insert_with(|| vec![(0, 0); length]);
            let at = |day: DayNumber| usize::try_from(day - window.first).unwrap_or(0);
            daily[at(first)].0 += 1;
            daily[at(end)].0 -= 1;
            daily[at(end - 1)].1 += paid;
        });
        if let Some(last) = before.filter(|last| told.gone && !last.stayed && told.to < window.end)
        {
            *self.taken.entry(last).or_default() += 1;
            self.gone += 1;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (cell, count) in &other.cells {
            self.cells.entry(*cell).or_default().add(count);
        }
        for (cell, theirs) in &other.daily {
            let ours = self.daily.entry(*cell).or_insert_with(|| vec![(0, 0); theirs.len()]);
            for (our, their) in ours.iter_mut().zip(theirs) {
                our.0 += their.0;
                our.1 += their.1;
            }
        }
        self.claims += other.claims;
        for (cell, count) in &other.taken {
            *self.taken.entry(*cell).or_default() += count;
        }
        self.gone += other.gone;
        self.stayed.add(&other.stayed);
        self.stayed_gone += other.stayed_gone;
    }

    /// Days of claims whose dunning nothing stayed, with how often they were taken out.
    pub fn outs(&self) -> Self {
        let free = self.cells.iter().filter(|(cell, _)| !cell.stayed);
        let counts = free.map(|(cell, count)| {
            let paid = self.taken.get(cell).copied().unwrap_or(0);
            (*cell, Count { days: count.days, paid })
        });
        Self { cells: counts.collect(), ..Self::default() }
    }

    /// Payments in full.
    pub fn paid(&self) -> u64 {
        self.cells.values().map(|count| count.paid).sum()
    }

    /// Days of all claims.
    pub fn days(&self) -> u64 {
        self.cells.values().map(|count| count.days).sum()
    }
}

/// An amount in minor units, rounded to the nearest where it has more decimals.
pub(super) fn minor(amount: Decimal, currency: Currency) -> i64 {
    use rust_decimal::prelude::ToPrimitive as _;
    let mut exact = amount.round_dp(decimals(currency).unwrap_or(2));
    exact.rescale(decimals(currency).unwrap_or(2));
    exact.mantissa().to_i64().unwrap_or(i64::MAX)
}

/// Minor units as an amount.
pub(super) fn amount(minor: i64, currency: Currency) -> Decimal {
    Decimal::new(minor, decimals(currency).unwrap_or(2))
}

/// The steps of a claim as its history has them.
pub(super) fn track(
    account: &Account,
    claim: &Claim,
    zone: &TimeZone,
    names: &Names,
    sizes: Sizes,
) -> Option<Track> {
    let currency = claim.currency()?;
    let step = |taken: &kulanz_domain::claim::StepTaken| {
        let notice = taken.notice.as_ref().and_then(|notice| account.notices.get(notice));
        let persona = names.persona(notice.map(|notice| &notice.decided.persona));
        (number(day_in(taken.at, zone)), names.step(&taken.step), persona)
    };
    Some(Track {
        due: number(claim.due_on()?),
        size: sizes.class(minor(claim.payable(), currency)),
        steps: claim.steps.iter().map(step).collect(),
        stays: stays(account, claim),
    })
}

/// When disputes, holds, promises and plans stay the dunning of a claim, as far as the account
/// says: on which day a hold without a last day was released it does not, so that one is left
/// out.
fn stays(account: &Account, claim: &Claim) -> Vec<(DayNumber, DayNumber)> {
    let (invoice, ever) = (claim.invoice.as_ref().map(|one| &one.invoice), DayNumber::MAX);
    let concerns = |of: &Option<InvoiceId>| of.is_none() || of.as_ref() == invoice;
    let after = |day: Date| number(day) + 1;
    let disputes = claim.disputes.values().filter_map(|dispute| {
        let (from, _) = dispute.opened?;
        Some((number(from), dispute.decided().map_or(ever, |(on, ..)| number(on))))
    });
    let holds = account.holds.values().filter_map(|hold| {
        let placed = hold.placed.as_ref().filter(|placed| concerns(&placed.invoice))?;
        match placed.until {
            Some(until) => Some((number(placed.on), after(until))),
            None => (!hold.released).then_some((number(placed.on), ever)),
        }
    });
    let promises = account.promises.values().map(|promise| {
        let until = after(promise.until);
        (number(promise.on), promise.ended_on.map_or(until, |day| number(day).min(until)))
    });
    let plans = account.plans.values().filter_map(|plan| {
        plan.claims.iter().any(|one| Some(one) == invoice).then_some(())?;
        let last = plan.ended_on.or_else(|| plan.rates.last().map(|rate| rate.due_on))?;
        Some((number(plan.on), after(last)))
    });
    disputes.chain(holds).chain(promises).chain(plans).filter(|(from, to)| from < to).collect()
}

/// A claim that was brought in came to the book later than this after it was issued, in days.
const BROUGHT_IN: DayNumber = 7;

/// The day from which a claim's history is our own, where it was brought in.
pub(super) fn brought_in(claim: &Claim, zone: &TimeZone) -> Option<DayNumber> {
    let issued = number(claim.invoice.as_ref()?.issued_on);
    let recorded = number(day_in(claim.recorded_at?, zone));
    (recorded > issued + BROUGHT_IN).then_some(recorded)
}

/// The day on which nothing of the principal was owed any more; what may be left of fees and
/// interest is not waited for.
fn ended_on(column: &ClaimBook<'_>) -> Option<Date> {
    let gone = column.principal_settled_on.filter(|_| column.outstanding.is_zero());
    gone.or_else(|| column.settled_on())
}

/// The day on which money paid the principal in full.
pub(super) fn paid_on(column: &ClaimBook<'_>) -> Option<Date> {
    let by_money = column.by_money && column.claim.cancelled_on.is_none();
    ended_on(column).filter(|_| by_money)
}

/// What is told of each claim of a book; `released` has the days on which claims went to an agency.
pub(super) fn told(
    account: &Account,
    book: &Book<'_>,
    released: &HashMap<InvoiceId, DayNumber>,
    (zone, names, sizes): (&TimeZone, &Names, Sizes),
    end: DayNumber,
    mut each: impl FnMut(&ClaimBook<'_>, Told),
) {
    let gone = [account.insolvent_on, account.deceased_on].into_iter().flatten().map(number);
    let erased = account.erased_at.map(|at| number(day_in(at, zone)));
    let gone = gone.chain(erased).min().unwrap_or(end);
    for column in &book.claims {
        let Some(track) = track(account, column.claim, zone, names, sizes) else { continue };
        let Some(invoice) = &column.claim.invoice else { continue };
        let settled = ended_on(column).map(number);
        let away = released.get(column.invoice).copied().unwrap_or(end).min(gone).min(end);
        let paid = paid_on(column).map(number).filter(|day| *day < away);
        let to = match (paid, settled) {
            (Some(day), _) => day + 1,
            (None, Some(day)) => day.min(away),
            (None, None) => away,
        };
        let from = number(invoice.issued_on);
        let gone = paid.is_none() && settled.is_some_and(|day| day < away);
        each(column, Told { track, from, to, paid: paid.is_some(), gone });
    }
}
