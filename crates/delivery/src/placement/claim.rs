//! One claim as the agency gets it, from its column in the books.

use std::cmp::Ordering;

use kulanz_domain::{
    Account,
    account::{Notice, NoticeState, Payment},
    book::{Book, ClaimBook},
    claim::Dispute,
    event::{Allocation, FeeKind},
    fact::{Channel, Part},
    ids::*,
    law,
    money::{Currency, Decimal},
    policy::Law,
};

use super::{Handoff, Secrets, document::*, interest::interest, words::*};

/// The claim's entry; `None`, with the reason in `missing`, where § 13a RDG asks for more.
pub(super) fn entry(
    from: &Handoff<'_>,
    book: &Book<'_>,
    column: &ClaimBook<'_>,
    missing: &mut Vec<String>,
) -> Option<ClaimEntry> {
    let (id, claim, currency) = (column.invoice, column.claim, book.currency);
    let secrets = Secrets(from.secrets);
    let slot = format!("invoice/{id}");
    let invoice = claim.invoice.as_ref()?;
    let contract_object = secrets.text(&slot, "contract_object");
    if invoice.contract_on.is_none() {
        missing.push(format!("date of the contract of {id}"));
    }
    if contract_object.is_none() {
        missing.push(format!("object of the contract of {id}"));
    }
    let amount = |value: Decimal| Amount::new(value, currency);
    let until = from.interest_until(id);
    let interest = interest(column, currency, until);
    let interest_charged = column.interest_charged(until);
    Some(ClaimEntry {
        invoice: id.clone(),
        issued_on: invoice.issued_on,
        due_on: column.due_on,
        supply: invoice.supply.into(),
        contract_on: invoice.contract_on?,
        contract_object: contract_object?,
        description: secrets.text(&slot, "description"),
        document_url: secrets.text(&slot, "document_url"),
        currency,
        principal: amount(column.principal),
        credited: amount(column.credited),
        remitted: amount(column.remitted),
        waived: amount(column.waived),
        written_off: amount(column.written_off),
        paid_principal: amount(column.paid),
        paid_fees: amount(column.fees_paid),
        paid_interest: amount(column.interest_paid),
        fees_charged: amount(column.fees_charged),
        interest_charged: amount(interest_charged),
        open_principal: amount(column.outstanding),
        open_fees: amount(column.fees),
        open_total: amount(column.outstanding + column.fees + interest.amount.value()),
        interest,
        costs: costs(from, column, currency),
        default: default_of(from, column),
        notices: notices(from, column),
        disputed: claim.disputed(),
        disputes: disputes(from, column, currency),
        payments: payments(from.account, book, id),
        returned_payments: returned(from, id, currency),
        credit_bureau_notice_given: false,
    })
}

impl ClaimEntry {
    /// What payments were used for this claim, all parts.
    pub(super) fn paid(&self) -> Decimal {
        let used =
            |one: &PaymentEntry| one.fees.value() + one.interest.value() + one.principal.value();
        self.payments.iter().map(used).sum()
    }
}

/// Fees that count, in time; their sum is what the books call charged.
fn costs(from: &Handoff<'_>, column: &ClaimBook<'_>, currency: Currency) -> Vec<Cost> {
    let charged = column.claim.fees.iter().filter(|fee| !fee.reversed);
    let mut costs: Vec<Cost> = charged
        .map(|fee| Cost {
            kind: match fee.kind {
                FeeKind::Reminder => CostKind::Notice,
                FeeKind::LumpSum => CostKind::LumpSum,
            },
            amount: Amount::new(fee.amount, currency),
            on: fee.on,
            notice: Some(fee.notice.clone()),
            payment: None,
            reason: match fee.kind {
                FeeKind::Reminder => notice_reason(from, &fee.notice),
                FeeKind::LumpSum => "Lump sum for a business in default, less reminder costs \
                                     charged before; to be credited against costs of legal \
                                     pursuit (§ 288 (5) BGB; Austria: § 458 UGB)."
                    .to_owned(),
            },
        })
        .collect();
    if !column.claim.never_owed() {
        for (id, payment) in meant_for(from, column.invoice) {
            costs.extend(payment.return_fees(currency).map(|(on, amount)| Cost {
                kind: CostKind::ReturnedPayment,
                amount: Amount::new(amount, currency),
                on,
                notice: None,
                payment: Some(id.clone()),
                reason:
                    "What the bank charged the creditor for the return of this payment.".to_owned(),
            }));
        }
    }
    costs.sort_by_key(|cost| cost.on);
    costs
}

fn notice_reason(from: &Handoff<'_>, notice: &NoticeId) -> String {
    let by = from.account.notices.get(notice).map(|found| match found.decided.channel {
        Channel::Letter => "letter: print and postage",
        Channel::Sms => "text message: the gateway's charge",
        Channel::Email => "e-mail",
    });
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    match from.creditor.law {
        Law::None => format!("Fee of the reminder{by}, by the creditor's rules."),
        Law::De => {
            format!("Cost of a reminder after default had begun{by} (§§ 280 (1), (2), 286 BGB).")
        }
        Law::At | Law::Ch => format!("Cost of a reminder after default had begun{by}."),
    }
}

/// Default, once it has begun by the day of the placement.
fn default_of(from: &Handoff<'_>, column: &ClaimBook<'_>) -> Option<DefaultEntry> {
    let found = law::default_begins(column.claim, from.creditor.seat(), from.account.profile());
    let (begins, ground) = found.filter(|(begins, _)| *begins <= from.day(from.at))?;
    let ground = DefaultWord::from(ground);
    let by_notice = column.claim.default_by_notice.as_ref();
    Some(DefaultEntry {
        from: begins,
        ground,
        notice: by_notice
            .filter(|_| ground == DefaultWord::Notice)
            .map(|(notice, _)| notice.clone()),
        explanation: Secrets(from.secrets)
            .text(&format!("default/{}", column.invoice), "ground")
            .filter(|_| ground == DefaultWord::Declared),
    })
}

/// Messages that reached a gateway, ours and those of others that counted as a step. What was
/// decided and did not go out is none.
fn notices(from: &Handoff<'_>, column: &ClaimBook<'_>) -> Vec<NoticeEntry> {
    let mut entries: Vec<NoticeEntry> = from
        .account
        .notices
        .iter()
        .filter_map(|(id, notice)| our_notice(from, id, notice, column.invoice))
        .collect();
    let others = column.claim.steps.iter().filter_map(|taken| {
        let notice = taken.notice.as_ref()?; // what sent nothing is no message
        (!from.account.notices.contains_key(notice)).then_some((taken, notice))
    });
    entries.extend(others.map(|(taken, notice)| NoticeEntry {
        notice: notice.clone(),
        at: taken.at,
        on: from.day(taken.at),
        step: taken.step.clone(),
        kind: None,
        channel: None,
        deadline: taken.deadline,
        evidence: Evidence::ReportedBySender,
    }));
    entries.sort_by(|one, other| {
        let by_time = one.at.cmp(&other.at);
        if by_time == Ordering::Equal { one.notice.cmp(&other.notice) } else { by_time }
    });
    entries
}

fn our_notice(
    from: &Handoff<'_>,
    id: &NoticeId,
    notice: &Notice,
    invoice: &InvoiceId,
) -> Option<NoticeEntry> {
    let part = notice.decided.claims.iter().find(|part| part.invoice == *invoice)?;
    let evidence = match notice.state {
        NoticeState::Sent => Evidence::AcceptedByGateway,
        NoticeState::Delivered => Evidence::Delivered,
        NoticeState::Bounced => Evidence::Bounced,
        NoticeState::Unknown => Evidence::Unknown,
        NoticeState::Decided
        | NoticeState::Suppressed
        | NoticeState::Parked
        | NoticeState::Discarded => return None,
    };
    let at = notice.sent_at.unwrap_or(notice.decided.at);
    Some(NoticeEntry {
        notice: id.clone(),
        at,
        on: from.day(at),
        step: part.step.clone(),
        kind: Some(notice.decided.kind.clone()),
        channel: Some(notice.decided.channel.into()),
        deadline: notice.deadline,
        evidence,
    })
}

fn disputes(from: &Handoff<'_>, column: &ClaimBook<'_>, currency: Currency) -> Vec<DisputeEntry> {
    let entry = |(id, dispute): (&DisputeId, &Dispute)| DisputeEntry {
        dispute: id.clone(),
        opened_on: dispute.opened.map(|(on, _)| on),
        amount: dispute.opened.and_then(|(_, amount)| Some(Amount::new(amount?, currency))),
        reason: Secrets(from.secrets).text(&format!("dispute/{id}"), "reason"),
        outcome: dispute.decided().map_or(DisputeWord::Open, |(_, outcome, _)| outcome.into()),
        resolved_on: dispute.decided().map(|(on, ..)| on),
        remains: dispute.decided().and_then(|(.., left)| Some(Amount::new(left?, currency))),
    };
    column.claim.disputes.iter().map(entry).collect()
}

/// Payments in the order in which they were used: booking day, then id.
pub(super) fn payments(
    account: &Account,
    book: &Book<'_>,
    invoice: &InvoiceId,
) -> Vec<PaymentEntry> {
    let mut entries: Vec<PaymentEntry> = Vec::new();
    for (id, parts) in book.used {
        let received = account.payments.get(id).and_then(|one| one.received.as_ref());
        let Some(received) = received else { continue };
        let used = |part: Part| {
            let ours = |one: &&Allocation| one.invoice == *invoice && one.part == part;
            parts.iter().filter(ours).map(|one| one.amount).sum::<Decimal>()
        };
        let (fees, interest, principal) =
            (used(Part::Fees), used(Part::Interest), used(Part::Principal));
        if (fees + interest + principal).is_zero() {
            continue;
        }
        entries.push(PaymentEntry {
            payment: (*id).clone(),
            booked_on: received.booked_on,
            method: received.method.clone(),
            fees: Amount::new(fees, book.currency),
            interest: Amount::new(interest, book.currency),
            principal: Amount::new(principal, book.currency),
        });
    }
    entries.sort_by_key(|entry| entry.booked_on);
    entries
}

/// Payments that were meant for the claim and went back.
fn returned(from: &Handoff<'_>, invoice: &InvoiceId, currency: Currency) -> Vec<ReturnEntry> {
    let mut entries = Vec::new();
    for (id, payment) in meant_for(from, invoice) {
        let gross = payment.received.as_ref().map(|received| received.amount);
        let Some(gross) = gross.filter(|gross| gross.currency == currency) else { continue };
        entries.extend(payment.returned.iter().map(|one| ReturnEntry {
            payment: id.clone(),
            on: one.on,
            amount: Amount::new(one.amount.unwrap_or(gross.amount), currency),
            bank_fee: one.charged().map(|fee| Amount::new(fee, currency)),
        }));
    }
    entries.sort_by_key(|entry| entry.on);
    entries
}

fn meant_for<'a>(
    from: &'a Handoff<'_>,
    invoice: &InvoiceId,
) -> impl Iterator<Item = (&'a PaymentId, &'a Payment)> {
    let ours = move |payment: &Payment| {
        payment.assigned_to.is_none() && payment.designation() == Some(invoice)
    };
    let payments = from.account.payments.iter().map(|(id, payment)| (id, &**payment));
    payments.filter(move |(_, payment)| ours(payment))
}
