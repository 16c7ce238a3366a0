//! Payments that belong to another account than the one they were booked on: who has to hear of a
//! fact about one, and what.
//!
//! Money counts on one account. So the one that it belongs to hears of the payment, of what went
//! back of it before, and of what goes back later; and those that it was assigned to before hear
//! that it is theirs no more. What an account knows already it is not told again, which also ends
//! it where two accounts assign a payment to each other.

use kulanz_domain::{
    Account,
    account::{Payment, Returned},
    fact::{Fact, Stamp},
    ids::{AccountId, PaymentId},
    money::Decimal,
};

/// What makes two of [`Payment::returned`] the same: day, amount and fee.
type Row = (jiff::civil::Date, Option<Decimal>, Option<Decimal>);

fn rows(payment: &Payment) -> Vec<Row> {
    payment.returned.iter().map(|one| (one.on, one.amount, one.fee)).collect()
}

/// The payment that a fact is about, where other accounts may have to hear of it.
pub(crate) fn payment_of(fact: &Fact) -> Option<&PaymentId> {
    match fact {
        Fact::PaymentReceived { payment, .. }
        | Fact::PaymentAssigned { payment, .. }
        | Fact::PaymentReturned { payment, .. }
        | Fact::PaymentRefunded { payment, .. } => Some(payment),
        _ => None,
    }
}

/// Accounts that have to hear of `fact`, once it is recorded with `stamp` on `account`: the one that
/// its payment belongs to now, and where that has just changed, those that had it before.
pub(crate) fn hearers(account: &Account, fact: &Fact, stamp: &Stamp) -> Vec<AccountId> {
    let entry = payment_of(fact).and_then(|payment| account.payments.get(payment));
    let Some((entry, to)) = entry.and_then(|one| Some((one, one.assigned_to.as_ref()?))) else {
        return Vec::new();
    };
    let mut hearers = vec![to.clone()];
    if let Fact::PaymentAssigned { .. } = fact {
        if entry.assigned.as_deref() != Some(stamp) {
            return Vec::new(); // a later word counts
        }
        hearers.extend(entry.assigned_ever.iter().filter(|one| *one != to).cloned());
    }
    hearers
}

/// What `hearer`, which knows `theirs` of the payment, has to be told after `fact` was recorded on
/// `account`.
pub(crate) fn told(
    account: &Account,
    fact: &Fact,
    hearer: &AccountId,
    theirs: Option<&Payment>,
) -> Vec<Fact> {
    let found =
        payment_of(fact).and_then(|payment| Some((payment, account.payments.get(payment)?)));
    let Some((payment, entry)) = found else { return Vec::new() };
    let Some(owner) = &entry.assigned_to else { return Vec::new() };
    let nothing = Payment::default();
    let theirs = theirs.unwrap_or(&nothing);
    let assigned =
        |invoice| Fact::PaymentAssigned { payment: payment.clone(), to: owner.clone(), invoice };
    if hearer != owner {
        let owns = theirs.received.is_some() && theirs.assigned_to.as_ref() != Some(owner);
        return if owns { vec![assigned(None)] } else { Vec::new() };
    }
    let Some(received) = entry.received.clone() else { return Vec::new() };
    let mut facts = Vec::new();
    let claim = entry.assigned_claim.as_ref();
    // An agency's word of it is not the bank's.
    if theirs.by_bank().is_none() {
        facts.push(Fact::PaymentReceived {
            payment: payment.clone(),
            booked_on: received.booked_on,
            amount: received.amount,
            method: received.method,
            invoice: claim.or(received.invoice.as_ref()).cloned(),
        });
    }
    if theirs.received.is_some()
        && matches!(fact, Fact::PaymentAssigned { .. })
        && (theirs.assigned_to.is_some() || claim.is_some_and(|_| theirs.designation() != claim))
    {
        facts.push(assigned(claim.cloned()));
    }
    for row in beyond(&rows(entry), &rows(theirs)) {
        facts.push(returned(payment, fact, row, entry));
    }
    for (on, amount) in beyond(&entry.refunded, &theirs.refunded) {
        facts.push(Fact::PaymentRefunded { payment: payment.clone(), on, amount });
    }
    facts
}

/// The fact itself where the row is what it says; of others the reason may not have been kept.
fn returned(payment: &PaymentId, fact: &Fact, row: Row, entry: &Payment) -> Fact {
    match fact {
        Fact::PaymentReturned { on, amount, fee, .. } if (*on, *amount, *fee) == row => {
            fact.clone()
        }
        _ => {
            let ((on, amount, fee), payment) = (row, payment.clone());
            let same = |one: &&Returned| (one.on, one.amount, one.fee) == row;
            let kept = entry.returned.iter().find(same).map(|one| one.reason.clone());
            let reason = kept.filter(|reason| !reason.is_empty());
            let reason = reason.unwrap_or_else(|| "other".to_owned());
            Fact::PaymentReturned { payment, on, amount, reason, fee }
        }
    }
}

/// Rows of `ours` that are not among `theirs`, each as often as it is missing.
fn beyond<T: Copy + PartialEq>(ours: &[T], theirs: &[T]) -> Vec<T> {
    let mut known = theirs.to_vec();
    let missing = ours.iter().filter(|row| match known.iter().position(|one| one == *row) {
        Some(at) => {
            known.swap_remove(at);
            false
        }
        None => true,
    });
    missing.copied().collect()
}

/// What an account knows of a payment once it has heard `fact`; enough to tell it the rest.
pub(crate) fn heard(theirs: &mut Payment, fact: &Fact, hearer: &AccountId) {
    match fact.clone() {
        Fact::PaymentReceived { booked_on, amount, method, invoice, .. } => {
            let received = kulanz_domain::account::Received { booked_on, amount, method, invoice };
            theirs.received = Some(received);
        }
        Fact::PaymentAssigned { to, invoice, .. } => {
            theirs.assigned_to = (to != *hearer).then_some(to);
            theirs.assigned_claim = invoice;
        }
        Fact::PaymentReturned { on, amount, reason, fee, .. } => {
            theirs.returned.push(Returned { on, amount, fee, reason, told_at: None });
        }
        Fact::PaymentRefunded { on, amount, .. } => theirs.refunded.push((on, amount)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
