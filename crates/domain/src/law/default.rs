//! Verzug, § 286 BGB: when it begins, on what ground, and when it ends.
//!
//! Payment ends it by itself: where nothing is owed there is nothing to be late with. What ends it
//! here is a new due date (Stundung): from that day on the claim is not late until a ground makes
//! it so again.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::later;
use crate::{
    calendar::{Region, Span, roll_193},
    claim::Claim,
    fact::{Channel, DebtorKind, DebtorProfile, Supply},
    policy::Law,
};

/// Why a debtor is in default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultGround {
    /// The creditor declared it: refusal, served order (§ 286 (2) no. 3, 4 BGB) [V].
    Declared,
    /// A calendar date was agreed (§ 286 (2) no. 1 BGB) [V].
    AgreedDate,
    /// 30 days after due date and receipt (§ 286 (3) BGB) [V].
    ThirtyDays,
    /// A notice after the due date (§ 286 (1) BGB) [V].
    Notice,
}

/// The law that holds, and the creditor's holidays: days on which a deadline does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Seat {
    /// Law.
    pub law: Law,
    /// Holidays at the creditor's seat.
    pub region: Region,
}

impl Seat {
    /// § 193 BGB: moves `day` to the next that is no weekend and no holiday at either side's seat.
    pub fn roll(self, day: Date, debtor: Option<&DebtorProfile>) -> Date {
        let theirs = debtor.and_then(|one| Region::of(&one.country, one.region.as_deref()));
        match theirs {
            Some(theirs) if theirs != self.region => roll_193(day, &[self.region, theirs]),
            _ => roll_193(day, &[self.region]),
        }
    }

    /// The day after `deadline`, rolled first: the first day of default.
    pub fn day_after(self, deadline: Date, debtor: Option<&DebtorProfile>) -> Date {
        later(self.roll(deadline, debtor), 1)
    }
}

/// A stretch of days in default; both ends count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultPeriod {
    /// First day.
    pub from: Date,
    /// Last day, the day before the claim got a new due date; `None`: it goes on.
    pub to: Option<Date>,
    /// Why it began.
    pub ground: DefaultGround,
}

/// First day of default and why, by the earliest ground since the claim got the due date that it
/// has now; `None` while there is none. Days on which somebody could not act roll to the next
/// working day at either side's seat (§ 193 BGB).
pub fn default_begins(
    claim: &Claim,
    seat: Seat,
    debtor: Option<&DebtorProfile>,
) -> Option<(Date, DefaultGround)> {
    let last = stretches(claim).last()?;
    begins_within(claim, last, seat, debtor)
}

/// All stretches in default, in time: one for each due date that the claim had at most.
pub fn default_periods(
    claim: &Claim,
    seat: Seat,
    debtor: Option<&DebtorProfile>,
) -> Vec<DefaultPeriod> {
    let begun = stretches(claim).filter_map(|stretch| {
        let (from, ground) = begins_within(claim, stretch, seat, debtor)?;
        let to = (stretch.to < Date::MAX).then_some(stretch.to);
        Some(DefaultPeriod { from, to, ground })
    });
    begun.collect()
}

/// Days during which a claim was due on one day.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: Date,
    to: Date,
    /// `None`: the invoice has not arrived yet.
    due_on: Option<Date>,
}

fn stretches(claim: &Claim) -> impl Iterator<Item = Stretch> + '_ {
    let first = claim.invoice.as_ref().map(|invoice| invoice.due_on);
    let moves = &claim.rescheduled;
    (0..=moves.len()).map(move |number| Stretch {
        from: number.checked_sub(1).map_or(Date::MIN, |before| moves[before].on),
        to: moves.get(number).map_or(Date::MAX, |next| next.on.yesterday().unwrap_or(next.on)),
        due_on: number.checked_sub(1).map_or(first, |before| Some(moves[before].due_on)),
    })
}

/// A due date that the creditor set alone is no agreed date (BGH III ZR 91/07) [V].
fn begins_within(
    claim: &Claim,
    stretch: Stretch,
    seat: Seat,
    debtor: Option<&DebtorProfile>,
) -> Option<(Date, DefaultGround)> {
    let within = |day: &Date| stretch.from <= *day && *day <= stretch.to;
    let declared = claim.default_declared.filter(within).map(|d| (d, DefaultGround::Declared));
    // A Mahnung before the claim is due, or due again after it was put off, starts nothing.
    let after_due = |day: &Date| stretch.due_on.is_none_or(|due_on| *day > due_on);
    let notices = claim.defaults.values().copied().filter(within).filter(after_due);
    let by_notice = notices.min().map(|day| (day, DefaultGround::Notice));
    let by_law = claim.invoice.as_ref().filter(|_| seat.law != Law::None).and_then(|invoice| {
        let due_on = stretch.due_on?;
        let agreed = invoice
            .due_date_agreed
            .then(|| (seat.day_after(due_on, debtor), DefaultGround::AgreedDate));
        let received = invoice.received_on.unwrap_or(later(invoice.issued_on, 3));
        let told = invoice.late_payment_notice;
        let thirty = thirty_days(due_on.max(received), invoice.supply, debtor_kind(debtor), told)
            .map(|day| (seat.day_after(day, debtor), DefaultGround::ThirtyDays));
        let earliest = [agreed, thirty].into_iter().flatten().min_by_key(|(day, _)| *day)?;
        // Where the new due date lies before the day on which it was told, it is late from then.
        Some((earliest.0.max(stretch.from), earliest.1)).filter(|(day, _)| within(day))
    });
    [declared, by_notice, by_law].into_iter().flatten().min_by_key(|(day, _)| *day)
}

fn debtor_kind(debtor: Option<&DebtorProfile>) -> DebtorKind {
    debtor.map_or(DebtorKind::Consumer, |debtor| debtor.kind)
}

/// Last of the 30 days of § 286 (3) BGB after due date and receipt, before rolling; `None` where
/// the rule does not apply: for what is no payment for goods or services, and against consumers
/// whom the invoice did not tell [V].
pub fn thirty_days(
    due_and_received: Date,
    supply: Supply,
    debtor: DebtorKind,
    told: bool,
) -> Option<Date> {
    let applies = supply == Supply::GoodsServices && (debtor == DebtorKind::Business || told);
    applies.then(|| later(due_and_received, 30))
}

/// First day of default that a Mahnung sent on `sent_on` brings about: the day after its rolled
/// deadline, or after receipt where it names none (e-mail, SMS: the same day; letter: three
/// business days later) [V].
pub fn default_by_notice(
    sent_on: Date,
    channel: Channel,
    deadline: Option<Date>,
    seat: Seat,
    debtor: Option<&DebtorProfile>,
) -> Date {
    match (deadline, channel) {
        (Some(deadline), _) => seat.day_after(deadline, debtor),
        (None, Channel::Letter) => later(Span::BusinessDays(3).after(sent_on, seat.region), 1),
        (None, _) => later(sent_on, 1),
    }
}

/// A deadline of `span` told on `sent_on`, moved to a working day at both seats (§ 193 BGB) [V].
pub fn deadline(span: Span, sent_on: Date, seat: Seat, debtor: Option<&DebtorProfile>) -> Date {
    seat.roll(span.after(sent_on, seat.region), debtor)
}
