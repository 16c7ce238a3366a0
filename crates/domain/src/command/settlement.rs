//! What follows from the facts for the books: allocations, fees and settlement as events.

use jiff::civil::Date;

use super::{
    Raised,
    handoff::recall_overtaken,
    interest::{set_terms, take_base_rates},
};
use crate::{book::Book, claim::Fee, event::*, money::Decimal, policy::Rules};

/// Brings the terms of interest, allocations, fees and settlement in line with the facts; whatever
/// differs is an event.
pub(super) fn follow_up(raised: &mut Raised<'_>, rules: &Rules, today: Date) {
    set_terms(raised, rules, today);
    take_base_rates(raised, rules);
    settle(raised);
    // What is settled needs no later rates; what was settled and is open again by them does.
    if take_base_rates(raised, rules) {
        settle(raised);
    }
}

fn settle(raised: &mut Raised<'_>) {
    reverse_overtaken_fees(raised);
    for currency in raised.account.currencies() {
        let mut events = Vec::new();
        let book = Book::of(raised.account, currency);
        for (id, payment) in &raised.account.payments {
            let in_currency =
                payment.received.as_ref().is_some_and(|r| r.amount.currency == currency);
            let parts = book.used.get(id).cloned().unwrap_or_default();
            if !in_currency || parts == payment.allocated {
                continue;
            }
            let payment_id = id.clone();
            let implied = book.implied.contains(id);
            events.push(if payment.allocated.is_empty() {
                AccountEvent::PaymentAllocated { payment: payment_id, parts, implied }
            } else {
                AccountEvent::Reallocated { payment: payment_id, parts, implied }
            });
        }
        for column in &book.claims {
            let invoice = column.invoice.clone();
            match (column.settled_on(), column.claim.settled_on) {
                (Some(on), known) if known != Some(on) => {
                    events.push(AccountEvent::ClaimSettled { invoice, on });
                }
                (None, Some(_)) => events.push(AccountEvent::ClaimReopened { invoice }),
                _ => {}
            }
        }
        drop(book);
        for event in events {
            raised.raise(event);
        }
    }
    recall_overtaken(raised);
}

/// A fee charged after the day on which the claim was in truth paid, or on a cancelled claim, is
/// not owed.
fn reverse_overtaken_fees(raised: &mut Raised<'_>) {
    if raised.account.claims.values().all(|claim| claim.fees.is_empty()) {
        return;
    }
    // Reversing one fee can free money that settles another claim earlier: until nothing changes.
    loop {
        let mut overtaken = Vec::new();
        for currency in raised.account.currencies() {
            for column in &Book::of(raised.account, currency).claims {
                let Some(settled) = column.principal_settled_on else { continue };
                let cancelled = column.claim.cancelled_on.is_some();
                let late = |fee: &&Fee| !fee.reversed && (cancelled || fee.on > settled);
                let reason = match cancelled {
                    true => FeeReversal::Cancelled,
                    false => FeeReversal::PaidBefore,
                };
                for fee in column.claim.fees.iter().filter(late) {
                    overtaken.push((column.invoice.clone(), fee.notice.clone(), reason));
                }
            }
        }
        if overtaken.is_empty() {
            return;
        }
        for (invoice, notice, reason) in overtaken {
            raised.raise(AccountEvent::FeeReversed { invoice, notice, reason });
        }
    }
}

pub(super) fn reverse_fees(raised: &mut Raised<'_>, why: impl Fn(&Fee) -> Option<FeeReversal>) {
    let mut found = Vec::new();
    for (invoice, claim) in &raised.account.claims {
        for fee in claim.fees.iter().filter(|fee| !fee.reversed) {
            if let Some(reason) = why(fee) {
                found.push((invoice.clone(), fee.notice.clone(), reason));
            }
        }
    }
    for (invoice, notice, reason) in found {
        raised.raise(AccountEvent::FeeReversed { invoice, notice, reason });
    }
}

/// Zero in any currency is nothing owed.
pub(crate) fn owed(book: &Book<'_>, today: Date) -> Option<Decimal> {
    let open = book.open_on(today);
    (open > Decimal::ZERO).then_some(open)
}
