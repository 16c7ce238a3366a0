//! Verjährung watched: when a claim of an account is barred, when people are told, when dunning
//! stops. The rules themselves are [`limitation`](crate::law::limitation)'s.
//!
//! Only German claims are watched; for other laws nothing is known here. What an account knows
//! becomes its case: a new due date and instalments are deferrals (§ 205 BGB), instalments and a
//! promise acknowledge the claim as well, and so does money that the debtor gave for it (§ 212).
//! Money without a word counts only where there was nothing else that it could be for.

use jiff::{SignedDuration, civil::Date};

use crate::{
    account::{Account, Standing},
    book::Book,
    calendar::Region,
    claim::{Claim, LimitationFact},
    event::Allocation,
    ids::InvoiceId,
    law::{Limitation, LimitationCase, Period, Seat, Suspension, SuspensionGround, limitation},
    policy::Law,
};

/// How long before a claim is barred a person is told.
pub const WARN_DAYS: i32 = 90;

/// Where a claim stands on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Nothing to tell before this day.
    Later(Date),
    /// Barred after this day, which is near.
    Near(Date),
    /// Barred: this was the last day on which the creditor could act.
    Barred(Date),
    /// No end is known: a suspension goes on, or another law holds.
    NoEnd,
}

/// When the claim `id` is barred, with each step of the computation; `None` where another law
/// holds, the invoice has not arrived, or a suspension ends before it begins.
pub fn limitation_of(
    account: &Account,
    id: &InvoiceId,
    book: &Book<'_>,
    seat: Seat,
) -> Option<Limitation> {
    let claim = account.claims.get(id)?;
    let due_on = claim.invoice.as_ref().filter(|_| seat.law == Law::De)?.due_on;
    let mut case = LimitationCase {
        period: Period::Standard { due_on },
        suspensions: Vec::new(),
        acknowledged_on: Vec::new(),
        regions: regions(account, seat),
    };
    facts(claim, &mut case);
    arrangements(account, claim, id, &mut case);
    payments(account, book, id, &mut case);
    limitation(&case).ok()
}

fn regions(account: &Account, seat: Seat) -> Vec<Region> {
    let theirs = account.profile().and_then(|d| Region::of(&d.country, d.region.as_deref()));
    std::iter::once(seat.region).chain(theirs).collect()
}

fn facts(claim: &Claim, case: &mut LimitationCase) {
    for fact in &claim.limitation {
        match fact {
            LimitationFact::Acknowledged(on) => case.acknowledged_on.push(*on),
            LimitationFact::Suspended(from, to) => case.suspensions.push(Suspension {
                from: *from,
                to: *to,
                ground: SuspensionGround::Other,
            }),
            LimitationFact::Titled(on) => case.period = Period::Title { final_on: *on },
        }
    }
    let mut due_on = claim.invoice.as_ref().map(|invoice| invoice.due_on);
    for moved in &claim.rescheduled {
        if due_on.is_some_and(|due_on| moved.due_on > due_on) && moved.due_on > moved.on {
            defer(case, moved.on, Some(moved.due_on));
        }
        due_on = Some(moved.due_on);
    }
}

fn arrangements(account: &Account, claim: &Claim, id: &InvoiceId, case: &mut LimitationCase) {
    let issued_on = claim.invoice.as_ref().map(|invoice| invoice.issued_on);
    for plan in account.plans.values().filter(|plan| plan.claims.contains(id)) {
        case.acknowledged_on.push(plan.on);
        let to = match plan.standing {
            Standing::Open => plan.rates.last().map(|rate| rate.due_on),
            Standing::Kept | Standing::Broken => plan.ended_on,
        };
        if to.is_some_and(|to| to > plan.on) {
            defer(case, plan.on, to);
        }
    }
    let promises = account.promises.values();
    let about_it = promises.filter(|promise| issued_on.is_some_and(|issued| issued <= promise.on));
    case.acknowledged_on.extend(about_it.map(|promise| promise.on));
}

fn defer(case: &mut LimitationCase, from: Date, to: Option<Date>) {
    case.suspensions.push(Suspension { from, to, ground: SuspensionGround::Deferral });
}

fn payments(account: &Account, book: &Book<'_>, id: &InvoiceId, case: &mut LimitationCase) {
    let only_claim = book.claims.len() == 1;
    for (payment, parts) in book.used {
        let Some(entry) = account.payments.get(payment) else { continue };
        let Some(received) = &entry.received else { continue };
        let for_it = |part: &Allocation| part.invoice == *id;
        let meant = entry.designation() == Some(id) || only_claim;
        if meant && parts.iter().any(for_it) {
            case.acknowledged_on.push(received.booked_on);
        }
    }
}

/// Where the claim stands on `today`.
pub(crate) fn watch(
    account: &Account,
    (id, claim): (&InvoiceId, &Claim),
    book: &Book<'_>,
    seat: Seat,
    today: Date,
) -> Watch {
    let Some(invoice) = claim.invoice.as_ref().filter(|_| seat.law == Law::De) else {
        return Watch::NoEnd;
    };
    // Whatever bears on it makes it later, never earlier: most claims are far from any of it.
    let (_, earliest) = Period::Standard { due_on: invoice.due_on }.bounds();
    if today < warn_from(earliest) {
        return Watch::Later(warn_from(earliest));
    }
    match limitation_of(account, id, book, seat).and_then(|found| found.act_by) {
        None => Watch::NoEnd,
        Some(act_by) if today > act_by => Watch::Barred(act_by),
        Some(act_by) if today >= warn_from(act_by) => Watch::Near(act_by),
        Some(act_by) => Watch::Later(warn_from(act_by)),
    }
}

fn warn_from(last_day: Date) -> Date {
    let span = SignedDuration::from_hours(24 * i64::from(WARN_DAYS));
    last_day.checked_sub(span).unwrap_or(last_day)
}
