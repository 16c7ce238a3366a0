//! The law that no policy can loosen: when default begins and what a reminder may cost.
//!
//! State of 2026-11-21, see `GLOSSARY.md` for the German terms. Not legal advice. Interest and
//! limitation are not computed yet; their place is [`Part::Interest`](crate::fact::Part) and
//! [`LimitationFact`](crate::claim::LimitationFact).

use jiff::{ToSpan, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    calendar::{Region, Span, roll_193},
    claim::Claim,
    fact::{Channel, DebtorKind, DebtorProfile, Invoice, Supply},
    policy::{Creditor, Law},
};

/// Why a debtor is in default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultGround {
    /// The creditor declared it: refusal, served order (§ 286 (2) no. 3, 4 BGB).
    Declared,
    /// A calendar date was agreed (§ 286 (2) no. 1 BGB).
    AgreedDate,
    /// 30 days after due date and receipt (§ 286 (3) BGB).
    ThirtyDays,
    /// A notice after the due date (§ 286 (1) BGB).
    Notice,
}

/// First day of default and why, by the earliest ground; `None` while there is none. Days on
/// which somebody could not act roll to the next working day at either side's seat (§ 193 BGB).
///
/// A due date that the creditor set alone is no agreed date (BGH III ZR 91/07). Against consumers
/// the 30 days count only if the invoice said so.
pub fn default_begins(
    claim: &Claim,
    creditor: &Creditor,
    debtor: Option<&DebtorProfile>,
) -> Option<(Date, DefaultGround)> {
    let declared = claim.default_declared.map(|day| (day, DefaultGround::Declared));
    // A Mahnung before the claim is due, or due again after it was put off, starts nothing.
    let by_notice = claim.default_by_notice.as_ref().map(|(_, d)| (*d, DefaultGround::Notice));
    let by_notice = by_notice.filter(|(day, _)| claim.due_on().is_none_or(|due_on| *day > due_on));
    let by_law = claim.invoice.as_ref().filter(|_| creditor.law != Law::None).and_then(|invoice| {
        let due_on = claim.due_on()?;
        let agreed = invoice
            .due_date_agreed
            .then(|| (day_after_rolled(due_on, creditor, debtor), DefaultGround::AgreedDate));
        let thirty = thirty_days(invoice, due_on, debtor)
            .map(|day| (day_after_rolled(day, creditor, debtor), DefaultGround::ThirtyDays));
        earliest([agreed, thirty])
    });
    earliest([declared, by_notice, by_law])
}

fn earliest<const N: usize>(
    grounds: [Option<(Date, DefaultGround)>; N],
) -> Option<(Date, DefaultGround)> {
    grounds.into_iter().flatten().min_by_key(|(day, _)| *day)
}

/// Last of the 30 days of § 286 (3) BGB, before rolling; `None` where the rule does not apply.
fn thirty_days(invoice: &Invoice, due_on: Date, debtor: Option<&DebtorProfile>) -> Option<Date> {
    let consumer = debtor.is_none_or(|debtor| debtor.kind == DebtorKind::Consumer);
    if invoice.supply != Supply::GoodsServices || (consumer && !invoice.late_payment_notice) {
        return None;
    }
    let received = invoice.received_on.unwrap_or(later(invoice.issued_on, 3));
    Some(later(due_on.max(received), 30))
}

/// The day after `deadline`, rolled first: the first day of default.
pub fn day_after_rolled(
    deadline: Date,
    creditor: &Creditor,
    debtor: Option<&DebtorProfile>,
) -> Date {
    later(roll_193(deadline, &seats(creditor, debtor)), 1)
}

/// First day of default that a Mahnung sent on `sent_on` brings about: the day after its rolled
/// deadline, or after receipt where it names none (e-mail, SMS: the same day; letter: three
/// business days later).
pub fn default_by_notice(
    sent_on: Date,
    channel: Channel,
    deadline: Option<Date>,
    creditor: &Creditor,
    debtor: Option<&DebtorProfile>,
) -> Date {
    match (deadline, channel) {
        (Some(deadline), _) => day_after_rolled(deadline, creditor, debtor),
        (None, Channel::Letter) => later(Span::BusinessDays(3).after(sent_on, creditor.region), 1),
        (None, _) => later(sent_on, 1),
    }
}

/// A deadline of `span` told on `sent_on`, moved to a working day at both seats (§ 193 BGB).
pub fn deadline(
    span: Span,
    sent_on: Date,
    creditor: &Creditor,
    debtor: Option<&DebtorProfile>,
) -> Date {
    roll_193(span.after(sent_on, creditor.region), &seats(creditor, debtor))
}

fn seats(creditor: &Creditor, debtor: Option<&DebtorProfile>) -> Vec<Region> {
    let theirs = debtor.and_then(|debtor| Region::of(&debtor.country, debtor.region.as_deref()));
    std::iter::once(creditor.region).chain(theirs).collect()
}

/// What of `wanted` may be charged for a notice on `day`.
///
/// Only what the reminder itself costs, and only in default: the one that brings default about
/// carries none (BGH VIII ZR 95/18 on lump sums; § 309 no. 5 BGB). Against consumers: letter
/// 2.50, SMS 0.20, e-mail nothing. Switzerland: fees only if agreed, which we cannot know.
pub fn fee_allowed(
    wanted: Decimal,
    channel: Channel,
    in_default: bool,
    creditor: &Creditor,
    debtor: &DebtorProfile,
) -> Decimal {
    let cap = match (creditor.law, debtor.kind) {
        (Law::None, _) => return wanted,
        (Law::Ch, _) => Decimal::ZERO,
        _ if !in_default => Decimal::ZERO,
        (_, DebtorKind::Business) => return wanted,
        (_, DebtorKind::Consumer) => match channel {
            Channel::Letter => Decimal::new(250, 2),
            Channel::Sms => Decimal::new(20, 2),
            Channel::Email => Decimal::ZERO,
        },
    };
    wanted.min(cap)
}

fn later(day: Date, days: i32) -> Date {
    day.checked_add(days.days()).unwrap_or(Date::MAX)
}
