//! What interest needs to know, as events; and what is waived of it out of goodwill.

use jiff::{Timestamp, ToSpan, civil::Date};

use super::Raised;
use crate::{
    account::Account,
    accrual::InterestTerms,
    book::{Book, ClaimBook},
    decision::{after, start_of},
    event::AccountEvent,
    fact::{Part, Stamp},
    ids::PaymentId,
    law::rates::HalfYear,
    money::Decimal,
    policy::{InterestClaimed, Policy, Rules},
};

/// Records the terms of the policies in force where they differ from the last ones. The first
/// terms hold from the beginning; later ones work forward.
pub(super) fn set_terms(raised: &mut Raised<'_>, rules: &Rules, today: Date) {
    for currency in raised.account.currencies() {
        let Some(policy) = rules.policy(currency) else { continue };
        let known = raised.account.interest.iter().rev().find(|terms| terms.currency == currency);
        let mut terms = InterestTerms {
            currency,
            from: Date::MIN,
            seat: rules.creditor.seat(),
            claimed: policy.interest.claimed.clone(),
            count: policy.interest.count,
            last_day_counts: policy.interest.last_day_counts,
        };
        match known {
            None if terms.claimed == InterestClaimed::None => continue,
            None => {}
            Some(known) if known.same(&terms) => continue,
            Some(_) => terms.from = today,
        }
        raised.raise(AccountEvent::InterestTermsSet(terms));
    }
}

/// Records the base rates that interest is computed with, as far as they are published; whether
/// there were any to record.
pub(super) fn take_base_rates(raised: &mut Raised<'_>, rules: &Rules) -> bool {
    if raised.account.interest.is_empty() {
        return false;
    }
    let Some(from) = raised.account.needs_base_rates_from() else { return false };
    let from = HalfYear::of(from).first_day();
    let known =
        raised.account.base_rates.as_ref().map(|known| (known.first_day(), known.last_day()));
    let table = &rules.creditor.base_rates;
    if known.is_some_and(|(first, last)| first <= from && table.last_day() <= last) {
        return false;
    }
    // No gap between what is known and what is taken, though nothing may need the days in it any
    // more: half-years are known by their place after the first.
    let missing = |on: Date| match known {
        None => from <= on,
        Some((first, last)) => (from <= on && on < first) || last < on,
    };
    let rates: Vec<(Date, Decimal)> = table.rows().filter(|(on, _)| missing(*on)).collect();
    if rates.is_empty() {
        return false;
    }
    raised.raise(AccountEvent::BaseRatesTaken { rates });
    true
}

/// When to look for base rates again: once the known half-years are over, and in a week where the
/// next figure is not in the table then.
pub(super) fn look_for_rates(
    account: &Account,
    rules: &Rules,
    now: Timestamp,
    today: Date,
) -> Option<Timestamp> {
    let known = account.base_rates.as_ref()?;
    account.needs_base_rates_from()?;
    account.claims.values().find(|claim| claim.settled_on.is_none())?;
    let next = after(known.last_day(), &rules.creditor.zone);
    let in_a_week = start_of(today.saturating_add(7.days()), &rules.creditor.zone);
    Some(if next > now { next } else { in_a_week })
}

/// Waives what a claim still owes after a payment, where that is no more than the policy's
/// `rest_waived` and comes from interest and costs alone: whoever paid what the last message asked
/// for does not owe the days on which the money was on its way.
pub(super) fn waive_rests(raised: &mut Raised<'_>, rules: &Rules, now: Timestamp) -> bool {
    let mut waived = Vec::new();
    for currency in raised.account.currencies() {
        let Some(policy) = rules.policy(currency) else { continue };
        if policy.rest_waived.is_zero() {
            continue;
        }
        let book = Book::of(raised.account, currency);
        for column in &book.claims {
            let claim = column.claim;
            if !column.is_open() || claim.disputed() || claim.placement.is_some() {
                continue;
            }
            if let Some((on, parts)) = rest(raised, &book, column, policy) {
                for (part, amount) in parts {
                    let id =
                        format!("policy/{}@{}", policy.reference.name, policy.reference.version);
                    let stamp = Stamp { at: now, id: format!("{id}#{part:?}-{on}") };
                    waived.push(AccountEvent::GivenUp {
                        invoice: column.invoice.clone(),
                        stamp,
                        on,
                        amount: Some(amount),
                        part: Some(part),
                        written_off: false,
                    });
                }
            }
        }
    }
    let any = !waived.is_empty();
    for event in waived {
        raised.raise(event);
    }
    any
}

/// What of interest and fees there is to waive so that nothing stays open, and as of which day.
fn rest(
    raised: &Raised<'_>,
    book: &Book<'_>,
    column: &ClaimBook<'_>,
    policy: &Policy,
) -> Option<(Date, Vec<(Part, Decimal)>)> {
    let booked = |id: &PaymentId| {
        raised
            .account
            .payments
            .get(id)
            .and_then(|payment| payment.received.as_ref())
            .map(|r| r.booked_on)
    };
    let paid = book.used.iter().flat_map(|(id, parts)| {
        let of_claim = parts.iter().filter(|part| part.invoice == *column.invoice);
        of_claim.filter_map(move |part| Some((booked(id)?, part)))
    });
    let paid: Vec<_> = paid.collect();
    let on = paid.iter().map(|(on, _)| *on).max()?;
    let open = column.open_on(on);
    if open > policy.rest_waived {
        return None;
    }
    let on_that_day = paid.iter().filter(|(day, part)| *day == on && part.part == Part::Interest);
    let interest =
        on_that_day.map(|(_, part)| part.amount).sum::<Decimal>() + column.interest_on(on);
    let interest = interest.min(open);
    let fees = column.fees.min(open - interest);
    (interest + fees == open).then(|| {
        let parts = [(Part::Interest, interest), (Part::Fees, fees)];
        (on, parts.into_iter().filter(|(_, amount)| !amount.is_zero()).collect())
    })
}
