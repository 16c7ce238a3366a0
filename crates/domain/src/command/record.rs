//! Recording: a fact becomes its event, once, and what follows from it for the books.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    ROUNDS, Raised, Refusal,
    settlement::{follow_up, reverse_fees},
    took_place,
};
use crate::{
    account::*,
    arrangement,
    calendar::day_in,
    event::*,
    fact::*,
    ids::*,
    law,
    money::{cut, decimals},
    policy::Rules,
};

/// Records a fact and what follows from it for the books.
pub(super) fn record(
    raised: &mut Raised<'_>,
    fact: &Fact,
    stamp: &Stamp,
    at: Timestamp,
    own: &AccountId,
    rules: &Rules,
) -> Result<(), Refusal> {
    let account = &*raised.account;
    check_currency(account, fact)?;
    check_decimals(account, fact)?;
    contradicts_itself(account, fact)?;
    let agencys = agencys_word(account, fact);
    let zone = &rules.creditor.zone;
    let Some(event) = fact_event(account, fact, stamp, at, own, zone)? else { return Ok(()) };
    if let Fact::NoticeReceipt { notice, at, receipt: Receipt::Delivered, .. } = fact
        && let Some(entry) = account.notices.get(notice)
        && matches!(entry.state, NoticeState::Parked | NoticeState::Unknown)
    {
        took_place(raised, notice, *at, rules); // it did leave, says the gateway
    }
    let bounced = match &event {
        AccountEvent::NoticeReceipt { notice, receipt: Receipt::Bounced, .. } => {
            Some(notice.clone())
        }
        _ => None,
    };
    let came_back = matches!(&event, AccountEvent::ReminderReported { came_back: true, .. });
    let today = day_in(at, zone);
    let arrangements = arrangement::Before::fact(raised.account, fact, rules, today);
    raised.raise(event);
    if let Some(notice) = bounced {
        reverse_fees(raised, |_, fee| (fee.notice == notice).then_some(FeeReversal::NotDelivered));
    }
    if let Fact::ReminderReported { notice, channel, at, invoices, starts_default: true, .. } = fact
        && !came_back
    {
        let debtor = raised.account.profile().cloned();
        let seat = rules.creditor.seat();
        let sent_on = day_in(*at, zone);
        let from = law::default_by_notice(sent_on, *channel, None, seat, debtor.as_ref());
        for invoice in invoices {
            let (invoice, notice) = (invoice.clone(), notice.clone());
            raised.raise(AccountEvent::DefaultBegins { invoice, notice, from });
        }
    }
    // The bank's own word stands in the log; what counts is said after it.
    if let Some((payment, told)) = agencys
        && raised.account.payments.get(&payment).is_none_or(|one| agencys_counts(one, &told))
    {
        let Received { booked_on, amount, method, invoice } = told;
        raised.raise(AccountEvent::PaymentReceived { payment, booked_on, amount, method, invoice });
    }
    follow_up(raised, rules, today);
    for _ in 0..ROUNDS {
        if !arrangements.look_again(raised, rules, today) {
            break;
        }
        follow_up(raised, rules, today);
    }
    Ok(())
}

/// Money that an agency reports: a payment of the account.
fn agency_payment(fact: &Fact) -> Option<(PaymentId, Received)> {
    let Fact::PlacementReported { report, on, invoice, .. } = fact else { return None };
    let PlacementReport::PaymentReceived { payment, amount, .. } = report else { return None };
    let (booked_on, invoice) = (*on, invoice.clone());
    let told = Received { booked_on, amount: *amount, method: AGENCY.to_owned(), invoice };
    Some((payment.clone(), told))
}

/// An agency that tells of money a second time tells the same. Where its word does not count, the
/// day and the claim are not asked for.
fn contradicts_itself(account: &Account, fact: &Fact) -> Result<(), Refusal> {
    let Fact::PlacementReported { report, .. } = fact else { return Ok(()) };
    let PlacementReport::PaymentReceived { payment, amount, paid_to_creditor, .. } = report else {
        return Ok(());
    };
    let Some(known) = account.payments.get(payment) else { return Ok(()) };
    let before = known.by_agency.as_ref();
    let word = before.map(|told| (told.amount, told.paid_to_creditor));
    let counts = known.received.as_ref().filter(|word| known.is_agencys(word));
    let other = counts.zip(agency_payment(fact)).is_some_and(|(known, (_, told))| *known != told);
    if other || word.is_some_and(|word| word != (*amount, *paid_to_creditor)) {
        return Err(Refusal::Contradicts { kind: "payment", id: payment.to_string() });
    }
    Ok(())
}

/// The agency's word of the money that `fact` is about: of an agency now, or before.
fn agencys_word(account: &Account, fact: &Fact) -> Option<(PaymentId, Received)> {
    let Fact::PaymentReceived { payment, .. } = fact else { return agency_payment(fact) };
    let known = account.payments.get(payment)?;
    let word = known.received.as_ref().filter(|word| known.is_agencys(word))?;
    Some((payment.clone(), word.clone()))
}

/// Whether the agency's word has to be said, so that it counts: it has the money, or nobody else
/// told of it yet.
fn agencys_counts(known: &Payment, word: &Received) -> bool {
    let holds = known.by_agency.as_ref().is_some_and(|told| !told.paid_to_creditor);
    match &known.received {
        None => true,
        Some(counts) => holds && counts != word,
    }
}

fn check_currency(account: &Account, fact: &Fact) -> Result<(), Refusal> {
    let Some(found) = fact.currency() else { return Ok(()) };
    let claim = match fact {
        Fact::InvoiceAdjusted { invoice, .. } | Fact::InvoiceCredited { invoice, .. } => {
            account.claims.get(invoice).and_then(|claim| claim.currency()).map(|c| (invoice, c))
        }
        _ => None,
    };
    if let Some((invoice, expected)) = claim.filter(|(_, expected)| *expected != found) {
        return Err(Refusal::OtherCurrency {
            invoice: invoice.clone(),
            expected: expected.code().to_owned(),
            found: found.code().to_owned(),
        });
    }
    if let Fact::PaymentRefunded { payment, .. } = fact
        && let Some(received) = account.payments.get(payment).and_then(|p| p.received.as_ref())
        && received.amount.currency != found
    {
        return Err(Refusal::OtherPaymentCurrency {
            payment: payment.clone(),
            expected: received.amount.currency.code().to_owned(),
            found: found.code().to_owned(),
        });
    }
    Ok(())
}

/// Facts that carry amounts without a currency: refused where the currency is known and has fewer
/// decimals. Where it is not known yet the books cut them, see [`cut`](crate::money::cut).
fn check_decimals(account: &Account, fact: &Fact) -> Result<(), Refusal> {
    let claim = |id: &InvoiceId| account.claims.get(id).and_then(|claim| claim.currency());
    let (currency, amounts) = match fact {
        Fact::Waived { invoice, amount, .. }
        | Fact::WrittenOff { invoice, amount, .. }
        | Fact::DisputeOpened { invoice, amount, .. }
        | Fact::DisputeResolved { invoice, amount, .. } => (claim(invoice), [*amount, None]),
        Fact::PaymentReturned { payment, amount, fee, .. } => {
            let received = account.payments.get(payment).and_then(|one| one.received.as_ref());
            (received.map(|received| received.amount.currency), [*amount, *fee])
        }
        _ => return Ok(()),
    };
    let Some(currency) = currency else { return Ok(()) };
    let mut amounts = amounts.into_iter().flatten();
    match amounts.find(|amount| cut(*amount, currency) != *amount) {
        None => Ok(()),
        Some(amount) => Err(Refusal::TooPrecise {
            amount,
            currency: currency.code().to_owned(),
            allowed: decimals(currency).unwrap_or(2),
        }),
    }
}

/// What `told` adds to an invoice that is known already. It has to say all that was said before:
/// what it leaves out would be lost with the sealed text that it replaces.
fn completed(earlier: &Invoice, told: &Invoice) -> Option<AccountEvent> {
    let contract_on = earlier.contract_on.or(told.contract_on);
    let contract_object_known = earlier.contract_object_known || told.contract_object_known;
    let whole = Invoice { contract_on, contract_object_known, ..earlier.clone() };
    (whole == *told && whole != *earlier).then(|| AccountEvent::InvoiceCompleted {
        invoice: earlier.invoice.clone(),
        contract_on,
        contract_object_known,
    })
}

/// Master data that name no day of birth leave what is known of it as it is.
fn keep_birth(account: &Account, stamp: &Stamp, told: &mut DebtorProfile) {
    if told.birth_told == BirthTold::Never
        && let Some((latest, known)) = account.debtor.as_ref().filter(|(latest, _)| latest < stamp)
        && let Some(word) = known.birth_word(latest)
    {
        told.minor_until = known.minor_until;
        told.birth_told = BirthTold::With(Box::new(word.clone()));
    }
}

/// The event of a fact; `None` where the account has it already.
fn fact_event(
    account: &Account,
    fact: &Fact,
    stamp: &Stamp,
    at: Timestamp,
    own: &AccountId,
    zone: &TimeZone,
) -> Result<Option<AccountEvent>, Refusal> {
    use AccountEvent as E;
    let known = |kind, id: String, same: bool| match same {
        true => Ok(None),
        false => Err(Refusal::Contradicts { kind, id }),
    };
    let event = match fact.clone() {
        Fact::DebtorUpdated { mut profile } => {
            keep_birth(account, stamp, &mut profile);
            E::DebtorUpdated { stamp: stamp.clone(), profile }
        }
        Fact::InsolvencyOpened { on } => E::InsolvencyOpened { on },
        Fact::DebtorDeceased { on } => E::DebtorDeceased { on },
        Fact::HoldPlaced { hold, invoice, owner, until } => {
            let (on, at) = (day_in(stamp.at, zone), Some(stamp.at));
            let told = HoldPlaced { invoice, owner, until, on, at };
            if account.holds.get(&hold).is_some_and(|known| known.placed.as_ref() == Some(&told)) {
                return Ok(None);
            }
            let HoldPlaced { invoice, owner, until, on, at } = told;
            E::HoldPlaced { hold, invoice, owner, until, on, at }
        }
        Fact::HoldReleased { hold } => {
            let at = Some(stamp.at);
            let told = |known: &Hold| known.released_at.map_or(known.released, |at| stamp.at <= at);
            if account.holds.get(&hold).is_some_and(told) {
                return Ok(None);
            }
            E::HoldReleased { hold, at }
        }
        Fact::InvoiceIssued { invoice } => {
            let earlier = account.claims.get(&invoice.invoice).and_then(|c| c.invoice.as_ref());
            if let Some(earlier) = earlier {
                let completed = completed(earlier, &invoice);
                return match completed {
                    Some(event) => Ok(Some(event)),
                    None => known("invoice", invoice.invoice.to_string(), *earlier == invoice),
                };
            }
            E::InvoiceIssued { invoice, recorded_at: at }
        }
        Fact::InvoiceAdjusted { invoice, on, amount } => {
            E::InvoiceAdjusted { invoice, stamp: stamp.clone(), on, amount }
        }
        Fact::InvoiceCredited { invoice, credit, on, amount } => {
            let claim = account.claims.get(&invoice);
            if let Some(earlier) = claim.and_then(|claim| claim.credits.get(&credit)) {
                return known("credit note", credit.to_string(), *earlier == (on, amount));
            }
            E::InvoiceCredited { invoice, credit, on, amount }
        }
        Fact::InvoiceCancelled { invoice, on } => E::InvoiceCancelled { invoice, on },
        Fact::InvoiceRescheduled { invoice, due_on } => {
            let on = Some(day_in(stamp.at, zone));
            E::InvoiceRescheduled { invoice, stamp: stamp.clone(), on, due_on }
        }
        Fact::DefaultDeclared { invoice, from, ground } => {
            E::DefaultDeclared { invoice, from, ground }
        }
        Fact::Acknowledged { invoice, on } => E::Acknowledged { invoice, on },
        Fact::Suspended { invoice, from, to, ground } => E::Suspended { invoice, from, to, ground },
        Fact::Titled { invoice, on } => E::Titled { invoice, on },
        Fact::Waived { invoice, .. } | Fact::WrittenOff { invoice, .. }
            if account.claims.get(&invoice).is_some_and(|c| c.given_up.contains_key(stamp)) =>
        {
            return Ok(None);
        }
        Fact::Waived { invoice, on, amount, part } => {
            let stamp = stamp.clone();
            E::GivenUp { invoice, stamp, on, amount, part, written_off: false }
        }
        Fact::WrittenOff { invoice, on, amount, part } => {
            let stamp = stamp.clone();
            E::GivenUp { invoice, stamp, on, amount, part, written_off: true }
        }
        Fact::DisputeOpened { dispute, invoice, on, amount } => {
            let claim = account.claims.get(&invoice);
            let known = claim.and_then(|claim| claim.disputes.get(&dispute));
            if known.is_some_and(|known| known.knows_beginning((on, amount), stamp.at)) {
                return Ok(None);
            }
            E::DisputeOpened { dispute, invoice, on, amount, at: Some(stamp.at) }
        }
        Fact::DisputeResolved { dispute, invoice, on, outcome, amount } => {
            let claim = account.claims.get(&invoice);
            let known = claim.and_then(|claim| claim.disputes.get(&dispute));
            if known.is_some_and(|known| known.knows_end((on, outcome, amount), stamp.at)) {
                return Ok(None);
            }
            E::DisputeResolved { dispute, invoice, on, outcome, amount, at: Some(stamp.at) }
        }
        Fact::PaymentReceived { payment, booked_on, amount, method, invoice } => {
            let received = Received { booked_on, amount, method, invoice };
            if let Some(earlier) = account.payments.get(&payment).and_then(|one| one.by_bank()) {
                return known("payment", payment.to_string(), *earlier == received);
            }
            let Received { booked_on, amount, method, invoice } = received;
            E::PaymentReceived { payment, booked_on, amount, method, invoice }
        }
        Fact::PaymentReturned { payment, on, amount, reason, fee } => {
            E::PaymentReturned { payment, on, amount, reason, fee, at: Some(at) }
        }
        Fact::PaymentRefunded { payment, on, amount } => E::PaymentRefunded { payment, on, amount },
        Fact::PaymentFailed { attempt, invoice, on, reason, .. } => {
            E::PaymentFailed { attempt, invoice, on, reason }
        }
        Fact::PaymentAssigned { payment, to, invoice } => {
            let to = (to != *own).then_some(to);
            E::PaymentAssigned { payment, stamp: stamp.clone(), to, invoice, at: Some(at) }
        }
        Fact::ReminderReported { notice, channel, at, invoices, counts_as, starts_default } => {
            if account.notices.contains_key(&notice) || account.reported.contains(&notice) {
                return Ok(None); // one of ours told back to us, or told twice
            }
            let came_back = account.came_back.contains(&notice);
            E::ReminderReported {
                notice,
                channel,
                at,
                invoices,
                counts_as,
                starts_default,
                came_back,
            }
        }
        Fact::NoticeReceipt { notice, channel, at, receipt } => {
            E::NoticeReceipt { notice, channel, at, receipt }
        }
        Fact::PlacementReported { placement, on, report, .. } => {
            E::PlacementReported { placement, on, report }
        }
    };
    Ok(Some(event))
}
