//! Handoff to an agency: who must agree, what goes out, and what takes it back.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::{Raised, Refusal, overrule::stopped};
use crate::{
    account::*,
    book::Book,
    calendar::day_in,
    decision::{Case, Finding, WaitReason},
    event::*,
    fact::Channel,
    ids::*,
    policy::{Creditor, Release, Rules},
    watch::{Watch, watch},
};

pub(super) fn release(
    raised: &mut Raised<'_>,
    placement: &PlacementId,
    by: &str,
    now: Timestamp,
    rules: &Rules,
) -> Result<(), Refusal> {
    let due = raised.account.placements.get(placement);
    let due = due.filter(|entry| entry.state == PlacementState::Due);
    let due = due.ok_or(Refusal::NoSuchPlacement(placement.clone()))?;
    let missing = missing_fields(raised.account, &rules.creditor, &due.claims);
    if !missing.is_empty() {
        return Err(Refusal::Incomplete(missing));
    }
    if due.approved_by.contains(by) {
        return Err(Refusal::SamePerson(by.to_owned()));
    }
    if let Some(reason) = unfit(raised.account, due, rules, now) {
        return Err(Refusal::Blocked(reason));
    }
    let first_of_two = due.release == Release::FourEyes && due.approved_by.is_empty();
    refresh_handoffs(raised, rules);
    if first_of_two {
        let (placement, by) = (placement.clone(), by.to_owned());
        raised.raise(AccountEvent::PlacementApproved { placement, by });
        return Ok(());
    }
    go_out(raised, placement, by, now, day_in(now, &rules.creditor.zone));
    Ok(())
}

pub(super) fn go_out(
    raised: &mut Raised<'_>,
    placement: &PlacementId,
    by: &str,
    at: Timestamp,
    today: Date,
) {
    let Some(due) = raised.account.placements.get(placement) else { return };
    let (mut amounts, mut interest) = (Vec::new(), Vec::new());
    for currency in raised.account.currencies() {
        let book = Book::of(raised.account, currency);
        let columns = due.claims.iter().filter_map(|invoice| book.claim(invoice));
        for column in columns {
            amounts.push((column.invoice.clone(), column.outstanding, column.fees));
            let counted_to = column.interest_to(today);
            interest.extend(
                counted_to.map(|to| (column.invoice.clone(), column.interest_on(today), to)),
            );
        }
    }
    let (placement, by) = (placement.clone(), by.to_owned());
    raised.raise(AccountEvent::PlacementReleased { placement, by, at, amounts, interest });
}

/// Why the claims of a placement must not go to, or stay with, an agency.
fn unfit(
    account: &Account,
    placement: &Placement,
    rules: &Rules,
    now: Timestamp,
) -> Option<Suppression> {
    let today = day_in(now, &rules.creditor.zone);
    if account.insolvent_on.is_some() {
        return Some(Suppression::Insolvent);
    }
    if account.deceased_on.is_some() {
        return Some(Suppression::Deceased);
    }
    if account.hold_on(None, today).is_some() {
        return Some(Suppression::OnHold);
    }
    if account.promises.values().any(|promise| promise.standing == Standing::Open) {
        return Some(Suppression::Promised);
    }
    for invoice in &placement.claims {
        let claim = account.claims.get(invoice)?;
        if claim.settled_on.is_some() {
            return Some(Suppression::Paid);
        }
        if claim.disputed() {
            return Some(Suppression::Disputed);
        }
        if claim.made_by_minor(account.profile()).is_some() {
            return Some(Suppression::MadeByMinor);
        }
        let policy = claim.currency().and_then(|currency| rules.policy(currency));
        if policy.is_some_and(|one| stopped(account, one, invoice, &placement.step, today)) {
            return Some(Suppression::Person);
        }
        if account.hold_on(Some(invoice), today).is_some() {
            return Some(Suppression::OnHold);
        }
        let mut plans = account.plans.values();
        if plans.any(|p| p.standing == Standing::Open && p.claims.contains(invoice)) {
            return Some(Suppression::Planned);
        }
        let Some(book) = claim.currency().map(|currency| Book::of(account, currency)) else {
            continue;
        };
        if book.claim(invoice).is_some_and(|c| book.unallocated >= c.open_on(today)) {
            return Some(Suppression::CreditCovers);
        }
        let seat = rules.creditor.seat();
        if matches!(watch(account, (invoice, claim), &book, seat, today), Watch::Barred(_)) {
            return Some(Suppression::TimeBarred);
        }
    }
    unmeant(account, placement, rules, now)
}

/// Why the step that made a placement due would not take all of its claims any more: a part was
/// paid since, the debtor turned out to need care, or money went back that had paid a part.
fn unmeant(
    account: &Account,
    placement: &Placement,
    rules: &Rules,
    now: Timestamp,
) -> Option<Suppression> {
    let debtor = account.profile()?;
    let today = day_in(now, &rules.creditor.zone);
    placement.claims.iter().find_map(|invoice| {
        let currency = account.claims.get(invoice)?.currency()?;
        let policy = rules.policy(currency)?;
        let book = Book::of(account, currency);
        let case = Case::new(account, rules, policy, &book, debtor, (now, today));
        if !case.meets(invoice, &placement.step) {
            return Some(Suppression::ConditionFalse);
        }
        case.untold(invoice).then_some(Suppression::WentBack)
    })
}

/// What waits to be released and would not come to its step any more is off the list.
pub(super) fn withdraw_unmeant(raised: &mut Raised<'_>, rules: &Rules, now: Timestamp) {
    if raised.account.awaits_release() {
        recall(raised, |account, placement| {
            let waits = placement.state == PlacementState::Due;
            waits.then(|| unmeant(account, placement, rules, now)).flatten()
        });
    }
}

/// Puts claims on the list of what waits for a person whose money went back while no step can tell
/// the debtor; and takes them off it once that is not what they wait for any more.
pub(super) fn list_untold(raised: &mut Raised<'_>, findings: &[Finding], today: Date) {
    let untold = |found: &Finding| match (&found.invoice, &found.waits) {
        (Some(invoice), Some(WaitReason::WentBack(payment))) => {
            Some((invoice.clone(), payment.clone()))
        }
        _ => None,
    };
    let mut found = findings.iter().filter_map(untold).peekable();
    if found.peek().is_none() && raised.account.untold.is_empty() {
        return;
    }
    let found: BTreeMap<InvoiceId, PaymentId> = found.collect();
    let known = &raised.account.untold;
    let over = known.keys().filter(|invoice| !found.contains_key(*invoice)).cloned();
    let over: Vec<InvoiceId> = over.collect();
    let news = found.into_iter().filter(|(invoice, payment)| {
        known.get(invoice).is_none_or(|known| known.payment != *payment)
    });
    let news: Vec<(InvoiceId, PaymentId)> = news.collect();
    for invoice in over {
        raised.raise(AccountEvent::ReopeningUntold { invoice, payment: None, on: today });
    }
    for (invoice, payment) in news {
        let payment = Some(payment);
        raised.raise(AccountEvent::ReopeningUntold { invoice, payment, on: today });
    }
}

/// Withdraws what is due and recalls what is out, where `why` gives a reason.
pub(super) fn recall(
    raised: &mut Raised<'_>,
    why: impl Fn(&Account, &Placement) -> Option<Suppression>,
) {
    let found: Vec<(PlacementId, PlacementState, Suppression)> = raised
        .account
        .placements
        .iter()
        .filter_map(|(id, placement)| {
            Some((id.clone(), placement.state, why(raised.account, placement)?))
        })
        .collect();
    for (placement, state, reason) in found {
        match state {
            PlacementState::Due => {
                raised.raise(AccountEvent::HandoffWithdrawn { placement, reason });
            }
            PlacementState::Released => {
                raised.raise(AccountEvent::PlacementRecalled { placement, reason });
            }
            _ => {}
        }
    }
}

/// Fields that have come since make a placement complete.
pub(super) fn refresh_handoffs(raised: &mut Raised<'_>, rules: &Rules) {
    let changed: Vec<(PlacementId, Vec<String>)> = raised
        .account
        .placements
        .iter()
        .filter(|(_, placement)| placement.state == PlacementState::Due)
        .filter_map(|(id, placement)| {
            let missing = missing_fields(raised.account, &rules.creditor, &placement.claims);
            (missing != placement.missing).then(|| (id.clone(), missing))
        })
        .collect();
    for (placement, missing) in changed {
        raised.raise(AccountEvent::HandoffFieldsChanged { placement, missing });
    }
}

/// Placements that need no person go out once nothing is missing any more.
pub(super) fn complete_automatic(
    raised: &mut Raised<'_>,
    rules: &Rules,
    today: Date,
    now: Timestamp,
) {
    let complete = |placement: &Placement| {
        placement.state == PlacementState::Due
            && placement.release == Release::Automatic
            && placement.missing.is_empty()
            && unfit(raised.account, placement, rules, now).is_none()
    };
    let placements = raised.account.placements.iter().filter(|(_, one)| complete(one));
    // Who asked for help and was not heard is not given away unless a person has looked.
    let placements = placements.filter(|_| raised.account.unanswered_plea().is_none());
    let ready: Vec<PlacementId> = placements.map(|(id, _)| id.clone()).collect();
    for placement in ready {
        go_out(raised, &placement, "policy", now, today);
    }
}

/// A dispute, a plan, insolvency or death, or that a minor made the contract, takes a waiting placement
/// off the list, and one that is out back.
fn withdrawn_by_fact(account: &Account, placement: &Placement) -> Option<Suppression> {
    if account.insolvent_on.is_some() {
        return Some(Suppression::Insolvent);
    }
    if account.deceased_on.is_some() {
        return Some(Suppression::Deceased);
    }
    let disputed = |invoice: &InvoiceId| account.claims.get(invoice).is_some_and(|c| c.disputed());
    if placement.claims.iter().any(disputed) {
        return Some(Suppression::Disputed);
    }
    // Nothing placed gets a plan, but one that seemed broken may turn out to run.
    let mut plans = account.plans.values().filter(|plan| plan.standing == Standing::Open);
    let planned = plans.any(|plan| plan.claims.iter().any(|id| placement.claims.contains(id)));
    if planned {
        return Some(Suppression::Planned);
    }
    let minors = |invoice: &InvoiceId| {
        let claim = account.claims.get(invoice);
        claim.is_some_and(|claim| claim.made_by_minor(account.profile()).is_some())
    };
    placement.claims.iter().any(minors).then_some(Suppression::MadeByMinor)
}

/// Fields of § 13a RDG that the placement of `claims` lacks, in words with the invoice's id.
pub fn missing_fields(account: &Account, creditor: &Creditor, claims: &[InvoiceId]) -> Vec<String> {
    let mut missing = Vec::new();
    if !creditor.complete_for_placement {
        missing.push("creditor's name and address".to_owned());
    }
    if !account.profile().is_some_and(|p| p.reachable.contains(&Channel::Letter)) {
        missing.push("debtor's address".to_owned());
    }
    for id in claims {
        let Some(invoice) = account.claims.get(id).and_then(|claim| claim.invoice.as_ref()) else {
            missing.push(format!("invoice {id}"));
            continue;
        };
        if invoice.contract_on.is_none() {
            missing.push(format!("date of the contract of {id}"));
        }
        if !invoice.contract_object_known {
            missing.push(format!("object of the contract of {id}"));
        }
    }
    missing
}

/// Facts can take a placement off the list, or call it back: see [`AccountEvent::PlacementRecalled`].
pub(super) fn recall_overtaken(raised: &mut Raised<'_>) {
    recall(raised, |account, placement| {
        settled(account, placement).or_else(|| withdrawn_by_fact(account, placement))
    });
}

/// The claims are paid: one is enough while it waits, since those that are still open become due
/// again without it.
fn settled(account: &Account, placement: &Placement) -> Option<Suppression> {
    let mut settled = placement
        .claims
        .iter()
        .map(|invoice| account.claims.get(invoice).is_none_or(|claim| claim.settled_on.is_some()));
    let over = match placement.state {
        PlacementState::Due => settled.any(|settled| settled),
        _ => settled.all(|settled| settled),
    };
    over.then_some(Suppression::Paid)
}
