//! Arrangements with a debtor: a promise (Zahlungszusage) and an instalment plan (Ratenplan).
//!
//! Both stop notices while they run. Whether they were kept is looked at when time has passed:
//! after the promised day, or a rate's day, and the time that a payment may be on its way. Word of
//! a payment that was booked in time may come later still: then it is looked at again.

mod kept;

use jiff::{Timestamp, ToSpan, civil::Date};
use rust_decimal::RoundingStrategy;

pub(crate) use self::kept::Before;
use crate::{
    account::{Account, Plan, Promise, Standing},
    book::{Book, ClaimBook},
    calendar::day_in,
    claim::Claim,
    command::{Raised, Refusal, owed},
    decision::start_of,
    event::{AccountEvent, Rate},
    ids::*,
    money::{Currency, Decimal, Money, decimals},
    policy::{PlanTerms, Policy, Rules, StepAction},
};

/// For so long after the day of a promise that was not kept a debtor cannot make another without
/// a person: a promise stops all notices, and a chain of them would stop them for ever.
const AFTER_A_BROKEN_PROMISE_DAYS: i64 = 30;

/// The last day that a debtor can promise on `today`.
pub fn last_promise_day(policy: &Policy, today: Date) -> Date {
    policy.promise_within.after(today, policy.region)
}

pub(crate) fn promise(
    raised: &mut Raised<'_>,
    promise: &PromiseId,
    until: Date,
    now: Timestamp,
    rules: &Rules,
    by_person: bool,
) -> Result<(), Refusal> {
    if raised.account.promises.contains_key(promise) {
        return Ok(());
    }
    let today = day_in(now, &rules.creditor.zone);
    if until < today {
        return Err(Refusal::DayPassed);
    }
    if !by_person && (raised.account.is_minor(today) || owes_as_minor(raised.account)) {
        return Err(Refusal::Minor);
    }
    let running = raised.account.promises.values().find(|p| p.standing == Standing::Open);
    if let Some(running) = running {
        return Err(Refusal::PromiseRuns(running.until));
    }
    if let Some(until) = raised.account.broken_promise().filter(|_| !by_person) {
        let again_from = until.saturating_add(AFTER_A_BROKEN_PROMISE_DAYS.days());
        if today < again_from {
            return Err(Refusal::PromiseBroken { until, again_from });
        }
    }
    let mut open = Vec::new();
    for currency in raised.account.currencies() {
        let Some(amount) = owed(&Book::of(raised.account, currency), today) else { continue };
        open.push(Money::new(amount, currency));
        let last = rules.policy(currency).map(|policy| last_promise_day(policy, today));
        if let Some(last) = last.filter(|last| !by_person && until > *last) {
            return Err(Refusal::TooLate(last));
        }
    }
    if open.is_empty() {
        return Err(Refusal::NothingOwed);
    }
    let promise = promise.clone();
    raised.raise(AccountEvent::PromiseMade { promise, until, open, on: today });
    Ok(())
}

/// The rates that `terms` make of `open`, the first due on `first_on`, the others a month apart
/// each; they add up to `open` to the cent. `None` where a rate would be below the terms' least.
pub fn rates(
    terms: &PlanTerms,
    open: Decimal,
    currency: Currency,
    first_on: Date,
) -> Option<Vec<Rate>> {
    let scale = decimals(currency).unwrap_or(2);
    let count = Decimal::from(terms.rates);
    let down = |amount: Decimal| amount.round_dp_with_strategy(scale, RoundingStrategy::ToZero);
    let first = match terms.first_percent {
        Some(percent) => down(open * percent / Decimal::ONE_HUNDRED),
        None => down(open / count),
    };
    let others = terms.rates.checked_sub(1).filter(|others| *others > 0)?;
    let each = down((open - first) / Decimal::from(others));
    let mut rates = Vec::with_capacity(terms.rates as usize);
    let mut left = open;
    for number in 0..terms.rates {
        let amount = match number {
            0 => first,
            last if last == others => left,
            _ => each,
        };
        left -= amount;
        let due_on = first_on.checked_add(i32::try_from(number).ok()?.months()).ok()?;
        rates.push(Rate { due_on, amount });
    }
    rates.iter().all(|rate| rate.amount >= terms.at_least).then_some(rates)
}

/// The plans that the policy offers for what is open in its currency, with their rates. A policy
/// without an offer step offers none.
pub fn offers(policy: &Policy, open: Decimal, first_on: Date) -> Vec<(PlanTerms, Vec<Rate>)> {
    let terms = policy.steps.iter().filter_map(|step| match &step.action {
        StepAction::Offer { plans } => Some(plans),
        _ => None,
    });
    let mut offered: Vec<(PlanTerms, Vec<Rate>)> = Vec::new();
    for terms in terms.flatten() {
        if offered.iter().all(|(known, _)| known != terms)
            && let Some(rates) = rates(terms, open, policy.currency, first_on)
        {
            offered.push((terms.clone(), rates));
        }
    }
    offered
}

/// Something is open that the debtor bought as a minor, and no person has seen that it binds them:
/// who promises to pay that, or in instalments, makes a contract about it (§§ 107, 108 BGB).
pub fn owes_as_minor(account: &Account) -> bool {
    let Some(debtor) = account.profile().filter(|debtor| debtor.minor_until.is_some()) else {
        return false;
    };
    let mut open = account.claims.values().filter(|claim| claim.settled_on.is_none());
    open.any(|claim| claim.made_by_minor(Some(debtor)).is_some())
}

/// Claims that a plan of `currency` agreed on `today` covers: all that are open and not disputed,
/// and that no minor made; and what is open of them, with interest up to that day. None runs while
/// the plan is kept.
pub fn plannable(account: &Account, currency: Currency, today: Date) -> (Vec<InvoiceId>, Decimal) {
    let book = Book::of(account, currency);
    // Instalments are a contract as well: a minor cannot make them alone.
    let minors = |claim: &Claim| claim.made_by_minor(account.profile()).is_some();
    let open = |claim: &Claim| !claim.disputed() && claim.placement.is_none() && !minors(claim);
    let columns = book.claims.iter().filter(|c| c.open_on(today) > Decimal::ZERO && open(c.claim));
    columns.fold((Vec::new(), Decimal::ZERO), |(mut claims, sum), column| {
        claims.push(column.invoice.clone());
        (claims, sum + column.open_on(today))
    })
}

pub(crate) fn agree(
    raised: &mut Raised<'_>,
    plan: &PlanId,
    currency: Currency,
    agreed: &[Rate],
    now: Timestamp,
    rules: &Rules,
    by_person: bool,
) -> Result<(), Refusal> {
    if raised.account.plans.contains_key(plan) {
        return Ok(());
    }
    let today = day_in(now, &rules.creditor.zone);
    if raised.account.plans.values().any(|p| p.standing == Standing::Open) {
        return Err(Refusal::PlanRuns);
    }
    if !by_person && raised.account.is_minor(today) {
        return Err(Refusal::Minor);
    }
    let (claims, open) = plannable(raised.account, currency, today);
    if claims.is_empty() {
        return Err(match owes_as_minor(raised.account) {
            true => Refusal::Minor,
            false => Refusal::NothingOwed,
        });
    }
    let sum: Decimal = agreed.iter().map(|rate| rate.amount).sum();
    if sum != open || agreed.iter().any(|rate| rate.amount <= Decimal::ZERO) {
        return Err(Refusal::RatesDoNotAddUp {
            rates: Money::new(sum, currency),
            open: Money::new(open, currency),
        });
    }
    let Some(first) = agreed.first().filter(|first| first.due_on >= today) else {
        return Err(Refusal::DayPassed);
    };
    let in_order = agreed.windows(2).all(|pair| pair[0].due_on < pair[1].due_on);
    let policy = rules.policy(currency).ok_or(Refusal::NotOffered)?;
    let offered = || {
        first.due_on <= last_promise_day(policy, today)
            && offers(policy, open, first.due_on).iter().any(|(_, rates)| rates == agreed)
    };
    if !in_order || (!by_person && !offered()) {
        return Err(Refusal::NotOffered);
    }
    let rates = agreed.to_vec();
    let plan = plan.clone();
    raised.raise(AccountEvent::PlanAgreed { plan, claims, currency, rates, on: today });
    // Instalments replace a promise to pay at once.
    let promised: Vec<PromiseId> = open_promises(raised.account);
    for promise in promised {
        raised.raise(AccountEvent::PromiseKept { promise, on: Some(today) });
    }
    Ok(())
}

impl Account {
    /// The latest day of a promise that was not kept.
    fn broken_promise(&self) -> Option<Date> {
        let broken = self.promises.values().filter(|one| one.standing == Standing::Broken);
        broken.map(|one| one.until).max()
    }
}

fn open_promises(account: &Account) -> Vec<PromiseId> {
    let open = account.promises.iter().filter(|(_, p)| p.standing == Standing::Open);
    open.map(|(id, _)| id.clone()).collect()
}

/// Ends promises and plans that have come to their end; the next moment to look again.
pub(crate) fn review(raised: &mut Raised<'_>, rules: &Rules, today: Date) -> Option<Timestamp> {
    kept::review(raised, rules, today).map(|day| start_of(day, &rules.creditor.zone))
}

/// The day by which what a promise was about was paid: claims of then that were due by the promised
/// day, or all of then where none was. What was ordered since is not part of the promise.
fn done(account: &Account, currency: Currency, promise: &Promise) -> Option<Date> {
    let book = Book::of(account, currency);
    let of_then = |column: &&ClaimBook<'_>| {
        column.claim.invoice.as_ref().is_some_and(|invoice| invoice.issued_on <= promise.on)
    };
    let mut then: Vec<&ClaimBook<'_>> = book.claims.iter().filter(of_then).collect();
    let due = |column: &&ClaimBook<'_>| column.due_on <= promise.until;
    if then.iter().any(due) {
        then.retain(due);
    }
    then.iter().try_fold(promise.on, |latest, column| {
        let on = column.settled_on()?;
        Some(if column.claim.never_owed() { latest } else { latest.max(on) })
    })
}

/// What is open of a plan's claims, with interest up to `today`.
pub fn still_open(account: &Account, plan: &Plan, today: Date) -> Decimal {
    let book = Book::of(account, plan.currency);
    plan.claims.iter().filter_map(|id| book.claim(id)).map(|column| column.open_on(today)).sum()
}

/// The rates of a plan, each with what is missing of it; together that is what is open. Payments
/// fill them from the first on; what was charged since the agreement is due with the last.
pub fn missing_of_rates(account: &Account, plan: &Plan, today: Date) -> Vec<(Rate, Decimal)> {
    let open = still_open(account, plan, today);
    let agreed: Decimal = plan.rates.iter().map(|rate| rate.amount).sum();
    let more = charged_since(account, plan).max(open - agreed);
    let mut paid = agreed + more - open;
    let last = plan.rates.len().saturating_sub(1);
    let rates = plan.rates.iter().enumerate().map(|(at, rate)| {
        let asked = if at == last { rate.amount + more } else { rate.amount };
        let used = paid.min(asked);
        paid -= used;
        (rate.clone(), asked - used)
    });
    rates.collect()
}

/// Fees that were charged after the agreement, of a returned debit for instance.
fn charged_since(account: &Account, plan: &Plan) -> Decimal {
    let book = Book::of(account, plan.currency);
    let columns = plan.claims.iter().filter_map(|id| book.claim(id));
    columns.map(|column| column.fees_charged_after(plan.on)).sum()
}

/// The day from which on a payment promised for `day` cannot be on its way any more.
fn patience(rules: &Rules, currency: Currency, day: Date) -> Date {
    let ends = match rules.policy(currency) {
        Some(policy) => policy.in_flight.after(day, policy.region),
        None => day,
    };
    ends.tomorrow().unwrap_or(ends)
}
