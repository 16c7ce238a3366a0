//! What follows from the facts for the books: allocations, fees and settlement as events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{civil::Date, tz::TimeZone};

use super::{
    Raised,
    handoff::recall_overtaken,
    interest::{set_terms, take_base_rates},
};
use crate::{
    account::Account,
    book::Book,
    calendar::day_in,
    claim::Fee,
    event::*,
    fact::{DebtorKind, Part},
    ids::{InvoiceId, NoticeId},
    law,
    money::Decimal,
    policy::{Law, Rules},
};

/// Brings the terms of interest, allocations, fees and settlement in line with the facts; whatever
/// differs is an event.
pub(super) fn follow_up(raised: &mut Raised<'_>, rules: &Rules, today: Date) {
    let zone = &rules.creditor.zone;
    set_terms(raised, rules, today);
    take_base_rates(raised, rules);
    spare_consumers(raised, rules);
    settle(raised, zone);
}

/// Compares what messages asked for with what was owed on their day, by what is known now: money
/// that was booked before that day, credit notes, corrections and disputes may come to us later.
fn own_up(account: &Account, book: &Book<'_>, zone: &TimeZone, events: &mut Vec<AccountEvent>) {
    let mut paid: Option<Paid<'_>> = None;
    for (id, notice) in &account.notices {
        let Some(at) = notice.sent_at.filter(|_| notice.decided.currency == book.currency) else {
            continue;
        };
        let on = day_in(at, zone);
        for part in &notice.decided.claims {
            let Some(column) = book.claim(&part.invoice) else { continue };
            let paid = paid.get_or_insert_with(|| Paid::of(account, book));
            let from_others = column.credited_from.iter().filter(|(_, since, _)| *since < on);
            let from_others: Decimal = from_others.map(|(_, _, amount)| *amount).sum();
            let paid = paid.before(on, &part.invoice) + from_others;
            let owed = column.claim.payable_before(on) - paid;
            let right = part.principal.min(owed.max(Decimal::ZERO));
            let known = notice.wrong.get(&part.invoice).map_or(part.principal, |(_, r)| *r);
            if right != known {
                events.push(AccountEvent::NoticeWasWrong {
                    notice: id.clone(),
                    invoice: part.invoice.clone(),
                    told: part.principal,
                    right,
                });
            }
        }
    }
}

/// Principal that was paid, by claim, with the booking days.
struct Paid<'a>(BTreeMap<&'a InvoiceId, Vec<(Date, Decimal)>>);

impl<'a> Paid<'a> {
    fn of(account: &Account, book: &Book<'a>) -> Self {
        let mut paid: BTreeMap<&InvoiceId, Vec<(Date, Decimal)>> = BTreeMap::new();
        for (id, parts) in book.used {
            let received = account.payments.get(id).and_then(|payment| payment.received.as_ref());
            let Some(booked_on) = received.map(|received| received.booked_on) else { continue };
            for part in parts.iter().filter(|part| part.part == Part::Principal) {
                paid.entry(&part.invoice).or_default().push((booked_on, part.amount));
            }
        }
        Self(paid)
    }

    /// What had been paid of a claim when the day `on` began, by what is known now.
    fn before(&self, on: Date, invoice: &InvoiceId) -> Decimal {
        let rows = self.0.get(invoice).into_iter().flatten();
        rows.filter(|(booked_on, _)| *booked_on < on).map(|(_, amount)| *amount).sum()
    }
}

fn settle(raised: &mut Raised<'_>, zone: &TimeZone) {
    reverse_overtaken_fees(raised);
    for currency in raised.account.currencies() {
        let mut events = Vec::new();
        let book = Book::of(raised.account, currency);
        for (id, payment) in &raised.account.payments {
            let in_currency =
                payment.received.as_ref().is_some_and(|r| r.amount.currency == currency);
            let parts = book.used.get(id).map_or(&[][..], Vec::as_slice);
            if !in_currency || *parts == *payment.allocated {
                continue;
            }
            let (payment_id, parts) = (id.clone(), parts.to_vec());
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
        own_up(raised.account, &book, zone, &mut events);
        for event in events {
            raised.raise(event);
        }
    }
    recall_overtaken(raised);
}

/// A fee charged after the day on which the claim was in truth paid, or on a claim of which nothing
/// was ever owed, is not owed.
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
                let never_owed = column.claim.never_owed();
                let late = |fee: &&Fee| !fee.reversed && (never_owed || fee.on > settled);
                let reason = match (column.claim.cancelled_on, never_owed) {
                    (Some(_), _) => FeeReversal::Cancelled,
                    (None, true) => FeeReversal::NeverOwed,
                    (None, false) => FeeReversal::PaidBefore,
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

/// What was charged to a business that turned out to be a consumer, and that the law does not let a
/// consumer pay (§ 288 (5) BGB; § 309 no. 5 BGB): it is not owed, whatever was believed then.
fn spare_consumers(raised: &mut Raised<'_>, rules: &Rules) {
    let Some(debtor) = raised.account.profile() else { return };
    if debtor.kind != DebtorKind::Consumer || rules.creditor.law == Law::None {
        return;
    }
    let most = |notice: &NoticeId| {
        let channel = raised.account.notices.get(notice).map(|one| one.decided.channel);
        channel.map_or(Decimal::MAX, law::consumer_cap)
    };
    let too_much: BTreeSet<NoticeId> = raised
        .account
        .claims
        .values()
        .flat_map(|claim| &claim.fees)
        .filter(|fee| match fee.kind {
            FeeKind::LumpSum => true,
            FeeKind::Reminder => fee.amount > most(&fee.notice),
        })
        .map(|fee| fee.notice.clone())
        .collect();
    if !too_much.is_empty() {
        reverse_fees(raised, |_, fee| {
            too_much.contains(&fee.notice).then_some(FeeReversal::Consumer)
        });
    }
}

/// Takes fees back where `why` gives a reason.
pub(crate) fn reverse_fees(
    raised: &mut Raised<'_>,
    why: impl Fn(&InvoiceId, &Fee) -> Option<FeeReversal>,
) {
    let mut found = Vec::new();
    for (invoice, claim) in &raised.account.claims {
        for fee in claim.fees.iter().filter(|fee| !fee.reversed) {
            if let Some(reason) = why(invoice, fee) {
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
