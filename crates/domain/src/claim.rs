//! Forderung: one claim with the facts about it, in whatever order they came, and the steps taken.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    event::FeeKind,
    fact::{DebtorProfile, DisputeOutcome, Invoice, Part, Stamp},
    ids::*,
    money::{Currency, Decimal, Money, cut},
};

/// A claim. `invoice` is absent while only later facts about it have arrived.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The document, once issued.
    pub invoice: Option<Invoice>,
    /// When Kulanz learnt of it.
    pub recorded_at: Option<Timestamp>,
    /// Latest adjustment by stamp.
    pub adjusted: Option<Box<(Stamp, Date, Money)>>,
    /// New due dates in the order of their stamps; the last one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rescheduled: Vec<Rescheduled>,
    /// Credit notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credits: BTreeMap<CreditId, (Date, Money)>,
    /// Cancelled since.
    pub cancelled_on: Option<Date>,
    /// Waivers and write-offs in the order of their stamps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "pairs")]
    pub given_up: BTreeMap<Stamp, GivenUp>,
    /// Disputes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disputes: BTreeMap<DisputeId, Dispute>,
    /// Fees of ours, reversed ones included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fees: Vec<Fee>,
    /// First day of default that the creditor declared.
    pub default_declared: Option<Date>,
    /// First day of default that a notice brought about: the earliest of `defaults`.
    pub default_by_notice: Option<(NoticeId, Date)>,
    /// First days of default by the notices that brought them about and did not bounce.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub defaults: BTreeMap<NoticeId, Date>,
    /// Steps that happened, in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepTaken>,
    /// Latest deadline that was told with a step that does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_of_undone: Option<Date>,
    /// Decided, neither sent nor given up yet.
    pub pending: Option<NoticeId>,
    /// Was old already when a policy met it, and no person has let it in yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held_back: bool,
    /// A person let it enter the ladder although it was old.
    pub admitted: bool,
    /// A person saw that it binds the debtor, who was a minor when it was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// Settled in truth on this day.
    pub settled_on: Option<Date>,
    /// On its way to, or at, an agency.
    pub placement: Option<PlacementId>,
    /// Last day on which the creditor can act, once it is near or over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barred_after: Option<Date>,
    /// Facts for the law of limitation, kept as told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limitation: Vec<LimitationFact>,
}

/// A map as a list of pairs: JSON keys are texts, stamps are not.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::GivenUp;
    use crate::fact::Stamp;

    pub fn serialize<S: Serializer>(
        map: &BTreeMap<Stamp, GivenUp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Stamp, GivenUp>, D::Error> {
        Ok(Vec::<(Stamp, GivenUp)>::deserialize(from)?.into_iter().collect())
    }
}

/// A new due date (Stundung).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rescheduled {
    /// Orders several.
    pub stamp: Stamp,
    /// Day on which it was told: default ends with it.
    pub on: Date,
    /// New due date.
    pub due_on: Date,
}

/// A part given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// Day.
    pub on: Date,
    /// `None`: all that is open of `part`; what goes back after `on` is owed again.
    pub amount: Option<Decimal>,
    /// `None`: of everything.
    pub part: Option<Part>,
    /// Written off rather than waived.
    pub written_off: bool,
}

/// Einwand, with beginning and end in either order of arrival.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Day and disputed amount.
    pub opened: Option<(Date, Option<Decimal>)>,
    /// Day, outcome, what remains owed.
    pub resolved: Option<(Date, DisputeOutcome, Option<Decimal>)>,
    /// Moment of `opened`; absent where only the day is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// Moment of `resolved`; absent where only the day is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
}

impl Dispute {
    /// It runs: nobody has decided it, or it was opened again after it was decided.
    pub fn is_open(&self) -> bool {
        self.opened.is_some() && self.decided().is_none()
    }

    /// Day, outcome, what remains owed, unless it was opened again later: on a later day, or later
    /// on the same one.
    pub fn decided(&self) -> Option<(Date, DisputeOutcome, Option<Decimal>)> {
        let moments = self.opened_at.zip(self.resolved_at);
        let later = moments.is_some_and(|(opened, resolved)| resolved < opened);
        let again = |on: Date| {
            self.opened.is_some_and(|(opened_on, _)| on < opened_on || (on == opened_on && later))
        };
        self.resolved.filter(|(on, ..)| !again(*on))
    }

    /// Takes word of its beginning. Of several the latest counts, then the larger; all of it is the
    /// largest.
    pub(crate) fn opens(&mut self, told: (Date, Option<Decimal>), at: Option<Timestamp>) {
        let rank = |(on, amount): (Date, Option<Decimal>), at| (on, at, amount.is_none(), amount);
        if self.opened.is_none_or(|known| rank(known, self.opened_at) < rank(told, at)) {
            (self.opened, self.opened_at) = (Some(told), at);
        }
    }

    /// Takes word of its end; of several the latest counts.
    pub(crate) fn ends(
        &mut self,
        told: (Date, DisputeOutcome, Option<Decimal>),
        at: Option<Timestamp>,
    ) {
        let rank = |(on, outcome, amount): (Date, DisputeOutcome, _), at| (on, at, outcome, amount);
        if self.resolved.is_none_or(|known| rank(known, self.resolved_at) < rank(told, at)) {
            (self.resolved, self.resolved_at) = (Some(told), at);
        }
    }

    /// Whether the same beginning was told already, and this one is no new one on the day on which
    /// it was decided.
    pub(crate) fn knows_beginning(&self, told: (Date, Option<Decimal>), at: Timestamp) -> bool {
        let ended_that_day = self.resolved.is_some_and(|(on, ..)| on == told.0);
        self.opened == Some(told) && (!ended_that_day || self.opened_at >= Some(at))
    }

    /// Whether the same end was told already, and it was not opened again on that day since.
    pub(crate) fn knows_end(
        &self,
        told: (Date, DisputeOutcome, Option<Decimal>),
        at: Timestamp,
    ) -> bool {
        let begun_that_day = self.opened.is_some_and(|(on, _)| on == told.0);
        self.resolved == Some(told) && (!begun_that_day || self.resolved_at >= Some(at))
    }
}

/// Mahngebühr, or the lump sum of § 288 (5) BGB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// What it is for.
    #[serde(default)]
    pub kind: FeeKind,
    /// The notice that cost it.
    pub notice: NoticeId,
    /// Day.
    pub on: Date,
    /// Amount.
    pub amount: Decimal,
    /// Not owed after all.
    pub reversed: bool,
}

/// A step that happened to a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTaken {
    /// Which.
    pub step: StepName,
    /// With which notice, ours or another sender's; absent: it sent nothing.
    #[serde(default)]
    pub notice: Option<NoticeId>,
    /// When the gateway took it, or when it happened without one.
    pub at: Timestamp,
    /// What the debtor was told to pay by.
    pub deadline: Option<Date>,
}

/// What bears on limitation (§§ 203 to 212 BGB).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LimitationFact {
    /// Acknowledged on a day.
    Acknowledged(Date),
    /// Suspended from, to.
    Suspended(Date, Option<Date>),
    /// Titled on a day.
    Titled(Date),
}

impl Claim {
    /// The day before which the contract was made, where the debtor was a minor until then and no
    /// person has seen that it binds them: by itself it does not (§ 108 (1) BGB), and growing up
    /// changes nothing of that (§ 108 (3) BGB). Without the contract's day, that of the invoice.
    pub fn made_by_minor(&self, debtor: Option<&DebtorProfile>) -> Option<Date> {
        let (invoice, until) = (self.invoice.as_ref()?, debtor?.minor_until?);
        let made_on = invoice.contract_on.unwrap_or(invoice.issued_on);
        (!self.approved && made_on < until).then_some(until)
    }

    /// Currency, once issued.
    pub fn currency(&self) -> Option<Currency> {
        self.invoice.as_ref().map(|invoice| invoice.amount.currency)
    }

    /// Due date as rescheduled, once issued.
    pub fn due_on(&self) -> Option<Date> {
        let invoice = self.invoice.as_ref()?;
        Some(self.rescheduled.last().map_or(invoice.due_on, |latest| latest.due_on))
    }

    /// Invoiced principal with the latest adjustment in its currency; zero once cancelled or
    /// while not issued.
    pub fn principal(&self) -> Decimal {
        let Some(invoice) = &self.invoice else { return Decimal::ZERO };
        if self.cancelled_on.is_some() {
            return Decimal::ZERO;
        }
        match self.adjusted.as_deref() {
            Some((_, _, amount)) if amount.currency == invoice.amount.currency => amount.amount,
            _ => invoice.amount.amount,
        }
    }

    /// Sum of the credit notes in the claim's currency; nothing once cancelled, since the
    /// cancellation has taken the whole already.
    pub fn credited(&self) -> Decimal {
        if self.cancelled_on.is_some() {
            return Decimal::ZERO;
        }
        let currency = self.currency();
        let in_currency = |money: &&Money| Some(money.currency) == currency;
        self.credits.values().map(|(_, money)| money).filter(in_currency).map(|m| m.amount).sum()
    }

    /// What credit notes took off beyond what was invoiced, in the order of their days: the note, its
    /// day, and how much of it is the debtor's.
    pub(crate) fn credited_beyond(&self) -> Vec<(&CreditId, Date, Decimal)> {
        if self.cancelled_on.is_some() || self.credited() <= self.principal() {
            return Vec::new();
        }
        let currency = self.currency();
        let notes = self.credits.iter().filter(|(_, (_, money))| Some(money.currency) == currency);
        let mut notes: Vec<_> = notes.map(|(id, (on, money))| (id, *on, money.amount)).collect();
        notes.sort_by_key(|(id, on, _)| (*on, *id));
        let mut left = self.principal();
        for (_, _, amount) in &mut notes {
            let met = left.min(*amount);
            left -= met;
            *amount -= met;
        }
        notes.retain(|(_, _, beyond)| *beyond > Decimal::ZERO);
        notes
    }

    /// What disputes decided for the debtor take off the principal beyond the credit notes. A credit
    /// note that was written since a dispute began may book what was decided: it is not taken off
    /// twice. One from before it is another matter.
    fn remitted(&self) -> Decimal {
        let Some(currency) = self.currency() else { return Decimal::ZERO };
        let principal = self.principal();
        let taken_off = |dispute: &Dispute| {
            let (began_on, disputed) = dispute.opened?;
            let disputed = disputed.map_or(principal, |part| cut(part, currency)).min(principal);
            let off = match dispute.decided()? {
                (_, DisputeOutcome::Upheld, _) => disputed,
                (_, DisputeOutcome::Partly, remains) => {
                    let remains = remains.map_or(disputed, |part| cut(part, currency));
                    (disputed - remains).max(Decimal::ZERO)
                }
                (_, DisputeOutcome::Rejected, _) => Decimal::ZERO,
            };
            Some((began_on, off))
        };
        let mut decided: Vec<(Date, Decimal)> =
            self.disputes.values().filter_map(taken_off).collect();
        if decided.is_empty() {
            return Decimal::ZERO;
        }
        decided.sort_unstable();
        let mut credits: Vec<(Date, Decimal)> = match self.cancelled_on {
            Some(_) => Vec::new(),
            None => {
                let credits = self.credits.values();
                let credits = credits.filter(|(_, money)| money.currency == currency);
                credits.map(|(on, money)| (*on, money.amount)).collect()
            }
        };
        credits.sort_unstable();
        let mut beyond = Decimal::ZERO;
        for (began_on, off) in decided {
            let mut rest = off;
            for (_, credit) in credits.iter_mut().filter(|(on, _)| *on >= began_on) {
                let booked = rest.min(*credit);
                *credit -= booked;
                rest -= booked;
            }
            beyond += rest;
        }
        beyond
    }

    /// Principal that there is to pay at all: less credit notes and what disputes took off.
    pub fn payable(&self) -> Decimal {
        (self.principal() - self.credited() - self.remitted()).max(Decimal::ZERO)
    }

    /// Nothing of it was ever owed: cancelled, credited in full, or disputed rightly. Such a claim
    /// was never late, so that it costs nothing either.
    pub fn never_owed(&self) -> bool {
        self.payable().is_zero()
    }

    /// [`payable`](Self::payable) when the day began, by what is known now: a correction or credit
    /// note counts from its own day on, what a dispute decided was never owed.
    pub fn payable_before(&self, day: Date) -> Decimal {
        let later = |on: &Date| *on >= day;
        let moved = self.cancelled_on.iter().any(later)
            || self.adjusted.iter().any(|adjusted| later(&adjusted.1))
            || self.credits.values().any(|(on, _)| later(on));
        if !moved {
            return self.payable();
        }
        let mut then = self.clone();
        then.cancelled_on = self.cancelled_on.filter(|on| *on < day);
        then.adjusted = self.adjusted.clone().filter(|adjusted| adjusted.1 < day);
        then.credits.retain(|_, (on, _)| *on < day);
        then.payable()
    }

    /// An open dispute.
    pub fn disputed(&self) -> bool {
        self.disputes.values().any(Dispute::is_open)
    }

    /// A dispute was open at the end of `day`.
    pub fn disputed_on(&self, day: Date) -> bool {
        self.disputes.values().any(|dispute| {
            dispute.opened.is_some_and(|(from, _)| from <= day)
                && dispute.decided().is_none_or(|(on, ..)| on > day)
        })
    }

    /// Picks the earliest default again after `defaults` changed.
    pub(crate) fn pick_default(&mut self) {
        let earliest = self.defaults.iter().min_by_key(|(notice, from)| (**from, *notice));
        self.default_by_notice = earliest.map(|(notice, from)| (notice.clone(), *from));
    }

    /// Reminder fees charged and not reversed, and whether the lump sum was.
    pub fn costs_charged(&self) -> (Decimal, bool) {
        let charged = self.fees.iter().filter(|fee| !fee.reversed);
        charged.fold((Decimal::ZERO, false), |(sum, lump_sum), fee| match fee.kind {
            FeeKind::Reminder => (sum + fee.amount, lump_sum),
            FeeKind::LumpSum => (sum, true),
        })
    }

    /// Adds a fact for the law of limitation in its place, once.
    pub(crate) fn bears(&mut self, fact: LimitationFact) {
        if let Err(at) = self.limitation.binary_search(&fact) {
            self.limitation.insert(at, fact);
        }
    }

    /// Adds a step in its place: word of it may come later than of the next one.
    pub(crate) fn step_up(&mut self, taken: StepTaken) {
        let place = |one: &StepTaken| (one.at, one.notice.clone());
        let at = self.steps.partition_point(|one| place(one) <= place(&taken));
        self.steps.insert(at, taken);
    }

    /// Takes back the step of a message that bounced, and the quiet ones that followed it: what
    /// counted from it counts anew.
    pub(crate) fn undo_step(&mut self, notice: &NoticeId) {
        let mut follows = false;
        self.steps.retain(|step| {
            if let Some(sent) = &step.notice {
                follows = sent == notice;
            }
            !follows
        });
    }

    /// Takes back the steps from `since` on and before `until`, with the default that their messages
    /// began. A deadline that was told stays: nothing follows before it.
    pub(crate) fn undo_steps(&mut self, since: Timestamp, until: Timestamp) {
        let meanwhile = |step: &&StepTaken| since <= step.at && step.at < until;
        for step in self.steps.iter().filter(meanwhile) {
            self.deadline_of_undone = self.deadline_of_undone.max(step.deadline);
            if let Some(notice) = &step.notice {
                self.defaults.remove(notice);
            }
        }
        self.steps.retain(|step| !meanwhile(&step));
        self.pick_default();
    }

    /// The last day that the debtor was told to pay by, in whichever notice.
    pub fn told_deadline(&self) -> Option<Date> {
        let told = self.steps.iter().filter_map(|taken| taken.deadline).max();
        told.max(self.deadline_of_undone)
    }

    /// Whether `step` has happened.
    pub(crate) fn took(&self, step: &StepName) -> bool {
        self.steps.iter().any(|taken| taken.step == *step)
    }

    /// The last step that happened.
    pub fn last_step(&self) -> Option<&StepTaken> {
        self.steps.last()
    }
}
