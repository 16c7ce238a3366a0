//! Default (Verzug, § 286 BGB) by single grounds and plain facts: no account, no invoice.
//!
//! [`default_begins`](super::default_begins) applies these rules to a claim. Here each ground
//! stands alone, with the reason where it does not bring default about. That the debtor is not at
//! fault (§ 286 (4) BGB) is for the debtor to show, and never assumed: [`NoDefault::NotAtFault`]
//! is for whoever knows it.

use jiff::{ToSpan, civil::Date};
use serde::Serialize;
use thiserror::Error;

use crate::{
    calendar::{Region, roll_193},
    fact::{DebtorKind, Supply},
};

/// Default has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DefaultStart {
    /// Last day on which payment was in time; `None` where there was no such day.
    pub deadline: Option<Date>,
    /// The same, moved by § 193 BGB.
    pub rolled: Option<Date>,
    /// First day of default, which is the first that bears interest.
    pub first_day: Date,
}

/// Why a ground brings no default about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum NoDefault {
    /// § 286 (2) no. 1 BGB: agreed, not told.
    #[error(
        "the creditor set the date alone: only an agreed one brings default about without a \
         reminder (§ 286 (2) no. 1 BGB, BGH III ZR 91/07)"
    )]
    DateNotAgreed,
    /// § 286 (3) BGB.
    #[error("the 30 days hold against consumers only if the invoice said so (§ 286 (3) BGB)")]
    ConsumerNotTold,
    /// § 286 (3) BGB.
    #[error("the 30 days hold for payment for goods or services alone (§ 286 (3) BGB)")]
    NoPaymentClaim,
    /// § 286 (1) BGB.
    #[error("a reminder brings default about only after the claim is due (§ 286 (1) BGB)")]
    ReminderBeforeDue,
    /// § 286 (4) BGB.
    #[error("the debtor is not at fault that nothing was paid (§ 286 (4) BGB)")]
    NotAtFault,
    /// A friendly reminder demands nothing.
    #[error("a friendly reminder (Zahlungserinnerung) does not demand payment unmistakably")]
    FriendlyReminder,
}

fn after(deadline: Date, regions: &[Region]) -> DefaultStart {
    let rolled = roll_193(deadline, regions);
    DefaultStart { deadline: Some(deadline), rolled: Some(rolled), first_day: next_day(rolled) }
}

const fn at_once(first_day: Date) -> DefaultStart {
    DefaultStart { deadline: None, rolled: None, first_day }
}

/// A calendar date was agreed (§ 286 (2) no. 1 BGB): the day after it, rolled first (§ 193 BGB,
/// BGH III ZR 159/06). A date that the creditor set alone is none (BGH III ZR 91/07). [V]
pub fn by_agreed_date(
    due_on: Date,
    agreed: bool,
    regions: &[Region],
) -> Result<DefaultStart, NoDefault> {
    if !agreed {
        return Err(NoDefault::DateNotAgreed);
    }
    Ok(after(due_on, regions))
}

/// A period was agreed that runs from an event (§ 286 (2) no. 2 BGB), such as two weeks after
/// delivery: the event's day does not count (§ 187 (1) BGB), the last day rolls. [V]
pub fn by_event(event: Date, months: i32, days: i32, regions: &[Region]) -> DefaultStart {
    let last_day = event.saturating_add(months.months()).saturating_add(days.days());
    after(last_day, regions)
}

/// Thirty days after due date and receipt of an invoice (§ 286 (3) BGB), whichever came later;
/// for payment for goods or services, and against consumers only if the invoice said so. [V]
pub fn by_thirty_days(
    due_and_received: Date,
    supply: Supply,
    debtor: DebtorKind,
    told: bool,
    regions: &[Region],
) -> Result<DefaultStart, NoDefault> {
    if supply != Supply::GoodsServices {
        return Err(NoDefault::NoPaymentClaim);
    }
    if debtor == DebtorKind::Consumer && !told {
        return Err(NoDefault::ConsumerNotTold);
    }
    Ok(after(due_and_received.saturating_add(30.days()), regions))
}

/// A reminder (Mahnung, § 286 (1) BGB) that arrived on `received_on`, not before the claim was
/// due: the next day, or where it names a deadline the day after that, rolled first. [V] The day
/// of receipt itself is not rolled. [M]
pub fn by_reminder(
    received_on: Date,
    due_on: Option<Date>,
    deadline: Option<Date>,
    regions: &[Region],
) -> Result<DefaultStart, NoDefault> {
    if due_on.is_some_and(|due_on| received_on < due_on) {
        return Err(NoDefault::ReminderBeforeDue);
    }
    Ok(deadline.map_or_else(|| at_once(next_day(received_on)), |last_day| after(last_day, regions)))
}

/// The debtor refused seriously and finally (§ 286 (2) no. 3 BGB): the next day [V], but not
/// before the claim is due [M].
pub fn by_refusal(refused_on: Date, due_on: Option<Date>) -> DefaultStart {
    at_once(next_day(due_on.map_or(refused_on, |due_on| due_on.max(refused_on))))
}

/// An action or a payment order was served, which stands beside a reminder (§ 286 (1) sentence 2
/// BGB): the next day (§ 187 (1) BGB by analogy). [V]
pub fn by_served_order(served_on: Date) -> DefaultStart {
    at_once(next_day(served_on))
}

fn next_day(day: Date) -> Date {
    day.tomorrow().unwrap_or(day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn an_agreed_date_rolls_and_the_next_day_is_the_first() {
        let first = |due, region| by_agreed_date(day(due), true, &[region]).unwrap().first_day;
        assert_eq!(first("2025-03-12", Region::DeNw), day("2025-03-13"));
        assert_eq!(first("2025-04-18", Region::DeBe), day("2025-04-23"));
        assert_eq!(first("2025-10-31", Region::DeNw), day("2025-11-01"));
        assert_eq!(first("2025-10-31", Region::DeBb), day("2025-11-04"));
        let told = by_agreed_date(day("2025-03-12"), false, &[]).unwrap_err();
        assert!(told.to_string().contains("BGH III ZR 91/07"));
    }

    #[test]
    fn a_period_from_an_event_does_not_count_the_events_day() {
        let start = by_event(day("2026-03-02"), 0, 14, &[Region::DeNw]);
        assert_eq!((start.deadline, start.first_day), (Some(day("2026-03-16")), day("2026-03-17")));
        let month = by_event(day("2026-01-31"), 1, 0, &[Region::DeNw]);
        assert_eq!(
            (month.deadline, month.rolled),
            (Some(day("2026-02-28")), Some(day("2026-03-02")))
        );
    }

    #[test]
    fn thirty_days_hold_for_businesses_and_for_consumers_who_were_told() {
        let first = |debtor, told| {
            let received = day("2026-04-01");
            by_thirty_days(received, Supply::GoodsServices, debtor, told, &[Region::DeBy])
                .map(|start| start.first_day)
        };
        assert_eq!(first(DebtorKind::Consumer, true), Ok(day("2026-05-05")));
        assert_eq!(first(DebtorKind::Business, false), Ok(day("2026-05-05")));
        assert_eq!(first(DebtorKind::Consumer, false), Err(NoDefault::ConsumerNotTold));
        let damages =
            by_thirty_days(day("2026-04-01"), Supply::Other, DebtorKind::Business, true, &[]);
        assert_eq!(damages, Err(NoDefault::NoPaymentClaim));
    }

    #[test]
    fn a_reminder_works_the_day_after_receipt_or_after_its_deadline() {
        let received = day("2025-06-02");
        let first = |due: Option<&str>, deadline: Option<&str>| {
            by_reminder(received, due.map(day), deadline.map(day), &[Region::DeSn])
                .map(|start| start.first_day)
        };
        assert_eq!(first(None, None), Ok(day("2025-06-03")));
        assert_eq!(first(Some("2025-06-02"), None), Ok(day("2025-06-03")));
        assert_eq!(first(Some("2025-06-03"), None), Err(NoDefault::ReminderBeforeDue));
        assert_eq!(first(None, Some("2025-06-14")), Ok(day("2025-06-17")));
    }

    #[test]
    fn a_refusal_works_the_next_day_but_not_before_the_claim_is_due() {
        assert_eq!(by_refusal(day("2025-06-04"), None).first_day, day("2025-06-05"));
        assert_eq!(by_served_order(day("2025-06-04")).first_day, day("2025-06-05"));
        let early = by_refusal(day("2025-06-04"), Some(day("2025-06-30")));
        assert_eq!(early.first_day, day("2025-07-01"));
    }
}
