//! Whether arrangements were kept: by the days on which money was booked, not by those on which
//! word of it came.
//!
//! Each look asks the books as they were when a day's patience was over, by what is known now:
//! money booked by then counts however late it is told, and what went back by then does not. What
//! goes back later is owed again, and was paid in time nonetheless. So a standing is not the end
//! of it: what counted as broken turns out to have been kept, and the other way round where money
//! that kept it went back in time or was another account's.

use jiff::civil::Date;

use super::{charged_since, done, patience, still_open};
use crate::{
    account::{Account, Plan, Promise, Standing},
    event::AccountEvent,
    ids::*,
    money::Decimal,
    policy::Rules,
};

/// What the books say of an arrangement.
pub(super) enum Found {
    /// It runs; look again on this day.
    Runs(Date),
    /// Kept, by this day.
    Kept(Date),
    /// Not kept when this day began.
    Broken(Date),
}

/// Arrangements in the order in which they were made: how one stands bears on the interest, and so
/// on what money was used for, of those after it.
pub(super) enum Made {
    Promise(PromiseId),
    Plan(PlanId),
}

pub(super) fn in_order(account: &Account) -> Vec<Made> {
    let promises =
        account.promises.iter().map(|(id, one)| (one.on, false, Made::Promise(id.clone())));
    let plans = account.plans.iter().map(|(id, one)| (one.on, true, Made::Plan(id.clone())));
    let mut all: Vec<(Date, bool, Made)> = promises.chain(plans).collect();
    all.sort_by_key(|(on, plan, _)| (*on, *plan));
    all.into_iter().map(|(.., made)| made).collect()
}

/// What a promise has come to since the last look, and the day of the next.
pub(super) fn of_promise(
    account: &Account,
    id: &PromiseId,
    rules: &Rules,
    today: Date,
) -> (Vec<AccountEvent>, Option<Date>) {
    let Some(promise) = account.promises.get(id) else { return (Vec::new(), None) };
    let replaced = || account.plans.values().any(|plan| promise.ended_on == Some(plan.on));
    if promise.standing == Standing::Kept && (!money_moved(account, promise.on) || replaced()) {
        return (Vec::new(), None);
    }
    let kept = |on| AccountEvent::PromiseKept { promise: id.clone(), on: Some(on) };
    let broken = || AccountEvent::PromiseBroken { promise: id.clone(), on: Some(today) };
    match (promise.standing, promised(account, id, promise, rules, today)) {
        (Standing::Open | Standing::Broken, Found::Kept(on)) => (vec![kept(on)], None),
        (Standing::Open | Standing::Kept, Found::Broken(_)) => (vec![broken()], None),
        (Standing::Open | Standing::Kept, Found::Runs(day)) => (Vec::new(), Some(day)),
        _ => (Vec::new(), None),
    }
}

/// What a plan has come to since the last look, and the day of the next.
pub(super) fn of_plan(
    account: &Account,
    id: &PlanId,
    rules: &Rules,
    today: Date,
) -> (Vec<AccountEvent>, Option<Date>) {
    let Some(plan) = account.plans.get(id) else { return (Vec::new(), None) };
    let moved = money_moved(account, plan.on);
    let over = match plan.standing {
        Standing::Open => false,
        Standing::Kept => !moved || followed(account, id, plan),
        Standing::Broken => followed(account, id, plan),
    };
    if over {
        return (Vec::new(), None);
    }
    let completed = |on| AccountEvent::PlanCompleted { plan: id.clone(), on: Some(on) };
    let broken = |on| AccountEvent::PlanBroken { plan: id.clone(), on: Some(on) };
    let ended_on = plan.ended_on.unwrap_or(today);
    let resumed = || AccountEvent::PlanResumed { plan: id.clone(), on: ended_on };
    match (plan.standing, in_rates(account, id, plan, rules, today)) {
        (Standing::Open | Standing::Broken, Found::Kept(on)) => (vec![completed(on)], None),
        (Standing::Open, Found::Broken(_)) => (vec![broken(today)], None),
        (Standing::Kept, Found::Broken(on)) => (vec![broken(on)], None),
        (Standing::Broken, Found::Broken(on)) if ended_on < on => {
            (vec![resumed(), broken(on)], None)
        }
        (Standing::Broken, Found::Broken(on)) if on < ended_on && moved => (vec![broken(on)], None),
        (Standing::Open, Found::Runs(day)) => (Vec::new(), Some(day)),
        (Standing::Kept | Standing::Broken, Found::Runs(day)) => (vec![resumed()], Some(day)),
        _ => (Vec::new(), None),
    }
}

fn promised(
    account: &Account,
    id: &PromiseId,
    promise: &Promise,
    rules: &Rules,
    today: Date,
) -> Found {
    let ends = promise.open.iter().map(|money| patience(rules, money.currency, promise.until));
    let ends = ends.max().unwrap_or(promise.until);
    let mut then = by(account, ends);
    then.promises.retain(|other, one| other == id || one.on < promise.on);
    then.plans.retain(|_, plan| plan.on < promise.on);
    if let Some(one) = then.promises.get_mut(id) {
        one.standing = Standing::Open;
    }
    let mut kept_on = Some(promise.on);
    for money in &promise.open {
        let paid = done(&then, money.currency, promise);
        kept_on = kept_on.zip(paid).map(|(one, other)| one.max(other));
    }
    match kept_on {
        Some(on) => Found::Kept(on),
        None if today >= ends => Found::Broken(ends),
        None => Found::Runs(ends),
    }
}

fn in_rates(account: &Account, id: &PlanId, plan: &Plan, rules: &Rules, today: Date) -> Found {
    let by = |day: Date| {
        let mut then = by(account, day);
        then.plans.retain(|other, one| other == id || one.on < plan.on);
        then.promises.retain(|_, one| one.on <= plan.on);
        if let Some(one) = then.plans.get_mut(id) {
            one.standing = Standing::Open;
        }
        then
    };
    let agreed: Decimal = plan.rates.iter().map(|rate| rate.amount).sum();
    let mut owed = Decimal::ZERO;
    let mut last = None;
    for (at, rate) in plan.rates.iter().enumerate() {
        let ends = patience(rules, plan.currency, rate.due_on);
        if today < ends {
            let now = by(Date::MAX);
            return match still_open(&now, plan, today).is_zero() {
                true => Found::Kept(paid_on(&now, plan)),
                false => Found::Runs(ends),
            };
        }
        let then = by(ends);
        owed += rate.amount;
        // What was charged since, a returned debit for instance, is due with the last rate.
        let since = charged_since(&then, plan);
        if at + 1 == plan.rates.len() {
            owed += since;
        }
        let paid = agreed + since - still_open(&then, plan, ends);
        if owed > Decimal::ZERO && paid < owed {
            return Found::Broken(ends);
        }
        last = Some(then);
    }
    Found::Kept(last.map_or(plan.on, |then| paid_on(&then, plan)))
}

/// The day on which the last claim of a plan was settled.
fn paid_on(account: &Account, plan: &Plan) -> Date {
    let book = crate::book::Book::of(account, plan.currency);
    let columns = plan.claims.iter().filter_map(|id| book.claim(id));
    let settled = columns.filter(|column| !column.claim.never_owed());
    settled.filter_map(|column| column.settled_on()).fold(plan.on, Date::max)
}

/// The account as if nothing had been paid, had gone back, been charged or given up from `day` on.
/// What corrections take off was never owed; what they add later is none of it.
fn by(account: &Account, day: Date) -> Account {
    let mut then = account.clone();
    then.let_go_of_books();
    then.payments.retain(|_, one| one.received.as_ref().is_none_or(|r| r.booked_on < day));
    for payment in then.payments.values_mut() {
        payment.returned.retain(|(on, ..)| *on < day);
        payment.refunded.retain(|(on, _)| *on < day);
    }
    for claim in then.claims.values_mut() {
        claim.fees.retain(|fee| fee.on < day);
        claim.given_up.retain(|_, given| given.on < day);
        let invoiced = claim.invoice.as_ref().map(|invoice| invoice.amount.amount);
        let adds = |amount: Decimal| invoiced.is_some_and(|invoiced| amount > invoiced);
        claim.adjusted = claim.adjusted.take().filter(|(_, on, to)| *on < day || !adds(to.amount));
    }
    then
}

/// Some payment of `from` or later went back, or was assigned elsewhere: nothing else lets what
/// counted as kept be broken.
fn money_moved(account: &Account, from: Date) -> bool {
    account.payments.values().any(|payment| {
        let moved = payment.assigned.is_some()
            || payment.assigned_to.is_some()
            || !payment.returned.is_empty()
            || !payment.refunded.is_empty();
        moved && payment.received.as_ref().is_some_and(|received| received.booked_on >= from)
    })
}

/// Another plan took its place: it stands as it stood then.
fn followed(account: &Account, id: &PlanId, plan: &Plan) -> bool {
    account.plans.iter().any(|(other, one)| {
        let later = other != id && one.on >= plan.ended_on.unwrap_or(plan.on);
        later && one.claims.iter().any(|claim| plan.claims.contains(claim))
    })
}
