//! Liefersperre: whether the shop should go on delivering to the debtor on account.
//!
//! A step of the policy in force can say `stop_delivery`. From when it happened to a claim,
//! deliveries on account are stopped, until nothing speaks for it any more. That is asked anew at
//! each look at the account, so that nobody has to remember to lift it: a claim does not stop
//! anything that is settled, not late (a new due date was given), covered by credit, disputed or
//! barred, nor one whose message bounced. A contested claim, or one that the debtor may refuse to
//! pay (§ 214 BGB), is no reason to put pressure on anybody.

use jiff::{Timestamp, civil::Date};

use super::Raised;
use crate::{
    account::{Account, PlacementState},
    book::Book,
    claim::Claim,
    decision::after,
    event::AccountEvent,
    ids::*,
    money::Currency,
    policy::{Policy, Rules},
};

/// Says so where deliveries are stopped, go on, or are stopped for other claims than before; when
/// to look again.
pub(super) fn review_delivery(
    raised: &mut Raised<'_>,
    rules: &Rules,
    today: Date,
) -> Option<Timestamp> {
    let account = &*raised.account;
    let any = rules.policies.values().any(|one| one.steps.iter().any(|step| step.stop_delivery));
    let stopped = account.delivery_stop.as_ref();
    if !any && stopped.is_none() {
        return None;
    }
    let (claims, again) = causes(account, rules, today);
    let again = again.map(|due_on| after(due_on, &rules.creditor.zone));
    if stopped.map_or(&[][..], |stop| stop.claims.as_slice()) == claims {
        return again;
    }
    raised.raise(match claims.is_empty() {
        true => AccountEvent::DeliveryResumed { on: today },
        false => AccountEvent::DeliveryStopped { claims, on: today },
    });
    again
}

/// Claims that stop deliveries, with the step that does; and the next due date of one that would
/// if it were late.
fn causes(
    account: &Account,
    rules: &Rules,
    today: Date,
) -> (Vec<(InvoiceId, StepName)>, Option<Date>) {
    let (mut causes, mut again) = (Vec::new(), None::<Date>);
    for (invoice, claim) in &account.claims {
        let Some((currency, policy)) = claim.currency().and_then(|c| Some((c, rules.policy(c)?)))
        else {
            continue;
        };
        if let Some(step) = stopping(account, invoice, claim, policy)
            && weighs(account, (invoice, claim, currency), today)
        {
            match claim.due_on().filter(|due_on| *due_on >= today) {
                None => causes.push((invoice.clone(), step.clone())),
                Some(due_on) => again = Some(again.map_or(due_on, |other| other.min(due_on))),
            }
        }
    }
    (causes, again)
}

/// The last step that happened to the claim and stops deliveries, if the policy in force still
/// says so.
fn stopping<'a>(
    account: &'a Account,
    invoice: &InvoiceId,
    claim: &'a Claim,
    policy: &Policy,
) -> Option<&'a StepName> {
    let stops =
        |name: &StepName| policy.steps.iter().any(|step| step.stop_delivery && step.name == *name);
    let handed_over = account.placements.values().filter(|one| {
        use PlacementState::{Closed, Rejected, Released};
        matches!(one.state, Released | Rejected | Closed) && one.claims.contains(invoice)
    });
    let handed_over = handed_over.map(|one| &one.step).rfind(|step| stops(step));
    handed_over.or_else(|| claim.steps.iter().rev().map(|one| &one.step).find(|step| stops(step)))
}

/// Whether the claim, once late, is one for which deliveries may be stopped.
fn weighs(account: &Account, claim: (&InvoiceId, &Claim, Currency), today: Date) -> bool {
    let (invoice, claim, currency) = claim;
    let barred = claim.barred_after.is_some_and(|last| last < today);
    if claim.settled_on.is_some() || claim.disputed() || barred {
        return false;
    }
    let book = Book::of(account, currency);
    book.claim(invoice).is_some_and(|column| {
        let open = column.open_on(today);
        !open.is_zero() && book.unallocated < open
    })
}
