//! The ladder: which step a claim has reached, and which one is next.
//!
//! A condition that is false is tried again until a later step has happened. A skipped step does
//! not block later ones: they count from the latest step that happened, or from the day on which
//! the skipped one would have been due. A handoff alone insists on the very step it names. No
//! step comes before a deadline that the debtor was told has passed, and a payment had time to
//! arrive; steps that send nothing keep to that too. Steps that were held up keep their distance
//! from one another.
//!
//! Before a handoff the debtor knows what is open: where money went back that had paid the claim,
//! and no message with a deadline named the rest since, the last one comes again in its place.

mod again;

use std::{cell::OnceCell, sync::Arc};

use jiff::{Timestamp, ToSpan, civil::Date};
use serde::Serialize;

use crate::{
    account::PlacementState,
    book::ClaimBook,
    calendar::{Span, day_in},
    decision::{Case, WaitReason},
    ids::{AgencyId, PlacementId},
    money::Decimal,
    overrides::Effective,
    policy::*,
};

/// How far ahead a condition that depends on the day is looked at before it is given up until
/// something happens.
const CONDITION_HORIZON_DAYS: i32 = 400;

/// How long after a refund its credit note is waited for.
const CREDIT_NOTE_WITHIN: Span = Span::BusinessDays(10);

/// Where a claim stands.
pub(crate) enum Rung {
    /// This step is due now.
    Due(usize),
    /// Nothing is; each step that was considered, why not, and until when; and the day of the one
    /// that only waits for its day.
    Waits(Vec<(Option<usize>, WaitReason, Option<Timestamp>)>, Option<Date>),
}

/// Steps that were considered, from the lowest on.
pub(crate) struct Looked {
    /// Those that do not come now, why not, and until when.
    pub found: Vec<(usize, WaitReason, Option<Timestamp>)>,
    /// The one that is due now.
    pub due: Option<usize>,
    /// The lowest that can still come.
    pub lowest: usize,
    /// The day of the one that only waits for its day.
    pub not_before: Option<Date>,
}

/// On which day a step comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The day that it counts from; `None`: default has not begun.
    pub from: Option<Date>,
    /// The day; `None` with `from`.
    pub day: Option<Date>,
    /// What put it off beyond what the policy counts.
    pub put_off_by: Option<PutOff>,
}

/// What puts a step off beyond the day that the policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PutOff {
    /// Nothing is demanded before the claim is overdue.
    DueDate,
    /// It was old when the policy met it: accounts enter one after the other.
    Entry,
    /// Steps that were held up keep their distance from one another.
    Distance,
    /// A deadline that was told, and the time that a payment may be on its way.
    Deadline,
    /// We gave money back: nobody gives back what is owed, so that a credit note is on its way.
    Refund,
}

/// Looks for the lowest step above the claim's level that is due.
pub(crate) fn climb(case: &Case<'_>, column: &ClaimBook<'_>, own: &Effective<'_>) -> Rung {
    let looked = look(case, column, own);
    if let Some(due) = looked.due {
        return Rung::Due(due);
    }
    let found = looked.found.into_iter().map(|(at, reason, until)| (Some(at), reason, until));
    let mut found: Vec<_> = found.collect();
    if found.is_empty() {
        found.push((None, WaitReason::TopOfLadder, None));
    }
    Rung::Waits(found, looked.not_before)
}

/// On which day the step at `at` comes to a claim, by what is known now.
pub(crate) fn place(
    case: &Case<'_>,
    column: &ClaimBook<'_>,
    persona: &Persona,
    at: usize,
) -> Place {
    let ladder = Ladder::new(case, column, persona, case.entry(column));
    let put_off = ladder.put_off(at);
    Place {
        from: ladder.base_of(at),
        day: put_off.map(|(day, _)| day),
        put_off_by: put_off.and_then(|(_, by)| by),
    }
}

/// Whether the condition of `step` holds today, also where the claim has come to it already.
pub(crate) fn holds_today(
    case: &Case<'_>,
    column: &ClaimBook<'_>,
    persona: &Persona,
    step: &Step,
) -> bool {
    let ladder = Ladder::new(case, column, persona, None);
    step.when.as_ref().is_none_or(|when| ladder.holds(when, case.today))
}

/// Whether money of the claim went back and the debtor was not told what is open since.
pub(crate) fn untold(case: &Case<'_>, column: &ClaimBook<'_>, persona: &Persona) -> bool {
    Ladder::new(case, column, persona, None).untold().is_some()
}

/// Considers the steps above the claim's level until one is due or has to wait for its day.
pub(crate) fn look(case: &Case<'_>, column: &ClaimBook<'_>, own: &Effective<'_>) -> Looked {
    let ladder = Ladder::new(case, column, &own.persona, case.entry(column));
    let (mut found, lowest) = (Vec::new(), ladder.next_rung());
    for (at, step) in case.policy.steps.iter().enumerate().skip(lowest) {
        if let Some(by) = own.stops(case.policy, at) {
            found.push((at, WaitReason::NoFurther(by.clone()), None));
            continue;
        }
        if step.action == StepAction::Notice && case.today >= column.due_on {
            found.push((at, WaitReason::Expired, None));
            continue;
        }
        if let Some(missing) = ladder.insists_on(step) {
            found.push((at, WaitReason::StepMissing(missing), None));
            continue;
        }
        let Some(day) = ladder.day_of(at) else {
            found.push((at, WaitReason::NotInDefault, None));
            continue;
        };
        if day > case.today {
            found.push((at, WaitReason::NotBefore, ladder.opening(step, day)));
            return Looked { found, due: None, lowest, not_before: Some(day) };
        }
        if step.expires.is_some_and(|span| span.after(day, case.policy.region) < case.today) {
            found.push((at, WaitReason::Expired, None));
            continue;
        }
        if let Some(when) = &step.when
            && !ladder.holds(when, case.today)
        {
            let until = ladder.holds_from(when).and_then(|day| ladder.opening(step, day));
            found.push((at, WaitReason::ConditionFalse(Arc::clone(&when.source)), until));
            continue;
        }
        if let StepAction::HandOff { agency, .. } = &step.action
            && let Some(earlier) = ladder.given_back_by(agency)
        {
            found.push((at, WaitReason::GivenBack(earlier.clone()), None));
            continue;
        }
        if matches!(step.action, StepAction::HandOff { .. }) && !ladder.lawful_handoff() {
            let until = ladder.begun().and_then(|day| ladder.opening(step, day));
            found.push((at, WaitReason::NotInDefault, until));
            continue;
        }
        if matches!(step.action, StepAction::HandOff { .. })
            && let Some(back) = ladder.untold()
        {
            found.push((at, WaitReason::WentBack(back.payment.clone()), None));
            match ladder.comes_again(at) {
                Some(again) => return Looked { found, due: Some(again), lowest, not_before: None },
                None => continue,
            }
        }
        return Looked { found, due: Some(at), lowest, not_before: None };
    }
    Looked { found, due: None, lowest, not_before: None }
}

/// Whether a step makes sense for an overdue claim alone. A notice does not, nor does a reminder or
/// a step that sends nothing which the policy counts from the issue or the due date itself.
fn needs_overdue(step: &Step) -> bool {
    match step.action {
        StepAction::Notice => false,
        StepAction::Reminder | StepAction::Quiet => {
            matches!(step.at.anchor, Anchor::Step(_) | Anchor::Default)
        }
        StepAction::Mahnung | StepAction::Offer { .. } | StepAction::HandOff { .. } => true,
    }
}

/// Whether a message decided as `step`, of this `kind`, still fits a claim due on `due_on`: the
/// due date may have passed, or have been put off, while it waited to be sent.
pub(crate) fn still_fits(step: Option<&Step>, kind: &str, due_on: Date, today: Date) -> bool {
    match step {
        _ if kind == StepAction::Notice.name() => today < due_on,
        Some(step) if step.at.before || step.at.anchor == Anchor::Issued => {
            today > due_on || !needs_overdue(step)
        }
        _ => today >= due_on,
    }
}

struct Ladder<'c, 'a> {
    case: &'c Case<'a>,
    column: &'c ClaimBook<'c>,
    persona: &'c Persona,
    /// Where it enters, and from which day on, if it was old when the policy met it.
    entry: Option<(usize, Date)>,
    /// The day on which the last step happened.
    latest_on: OnceCell<Option<Date>>,
    /// The first day of default.
    begun: OnceCell<Option<Date>>,
}

impl<'c, 'a> Ladder<'c, 'a> {
    fn new(
        case: &'c Case<'a>,
        column: &'c ClaimBook<'c>,
        persona: &'c Persona,
        entry: Option<(usize, Date)>,
    ) -> Self {
        let (latest_on, begun) = (OnceCell::new(), OnceCell::new());
        Self { case, column, persona, entry, latest_on, begun }
    }
}

impl Ladder<'_, '_> {
    fn steps(&self) -> &[Step] {
        &self.case.policy.steps
    }

    /// The place above the highest step that happened. Steps that an earlier version of the
    /// policy had and this one has not do not count.
    fn next_rung(&self) -> usize {
        let reached = self
            .column
            .claim
            .steps
            .iter()
            .filter_map(|taken| self.steps().iter().position(|step| step.name == taken.step));
        let above = reached.max().map_or(0, |highest| highest + 1);
        self.entry.map_or(above, |(step, _)| above.max(step))
    }

    /// The day on which the step at `at` happened.
    fn happened_on(&self, at: usize) -> Option<Date> {
        let name = &self.steps().get(at)?.name;
        let taken = self.column.claim.steps.iter().rev().find(|taken| taken.step == *name)?;
        match self.column.claim.last_step() {
            Some(latest) if latest.at == taken.at => self.latest_on(),
            _ => Some(day_in(taken.at, &self.case.rules.creditor.zone)),
        }
    }

    /// The day on which the last step happened; asked several times for each claim.
    fn latest_on(&self) -> Option<Date> {
        let zone = &self.case.rules.creditor.zone;
        let day = || self.column.claim.last_step().map(|latest| day_in(latest.at, zone));
        *self.latest_on.get_or_init(day)
    }

    /// The first day of default; asked by each condition that reads the claim.
    fn begun(&self) -> Option<Date> {
        *self.begun.get_or_init(|| self.case.default_begins(self.column))
    }

    /// The step that a handoff names and that never happened. Where that one sends nothing, the
    /// message that it follows has to have happened as well: people are warned before.
    fn insists_on(&self, step: &Step) -> Option<crate::ids::StepName> {
        let hands_off = matches!(step.action, StepAction::HandOff { .. });
        let mut anchor = hands_off.then_some(step.at.anchor);
        while let Some(Anchor::Step(named)) = anchor {
            let insisted = self.steps().get(named)?;
            if self.happened_on(named).is_none() {
                return Some(insisted.name.clone());
            }
            anchor = insisted.is_quiet().then_some(insisted.at.anchor);
        }
        None
    }

    /// The day on which the step at `at` is due; `None` where it counts from a default that has
    /// not begun.
    fn day_of(&self, at: usize) -> Option<Date> {
        self.put_off(at).map(|(day, _)| day)
    }

    /// As [`day_of`](Self::day_of), with what made it later than the policy counts.
    fn put_off(&self, at: usize) -> Option<(Date, Option<PutOff>)> {
        let (mut due, mut by) = (self.counted(at)?, None);
        let mut later = |day: Date, why: PutOff, due: &mut Date| {
            if day > *due {
                (*due, by) = (day, Some(why));
            }
        };
        if self.steps().get(at).is_some_and(needs_overdue) {
            // The due date may have moved since the step that it counts from.
            let seat = self.case.rules.creditor.seat();
            let overdue = seat.day_after(self.column.due_on, Some(self.case.debtor));
            later(overdue, PutOff::DueDate, &mut due);
        }
        if let Some((step, day)) = self.entry
            && at == step
        {
            later(day, PutOff::Entry, &mut due);
        }
        later(self.apart(at, due), PutOff::Distance, &mut due);
        if let Some(deadline) = self.column.claim.told_deadline() {
            let patience = self.case.policy.in_flight.after(deadline, self.case.policy.region);
            later(patience, PutOff::Deadline, &mut due);
        }
        // Four weeks back are more than ten business days whatever the holidays.
        let since = self.case.today.saturating_sub(28.days());
        if let Some(on) = self.case.refunded_on(self.column.invoice, since) {
            let noted = CREDIT_NOTE_WITHIN.after(on, self.case.policy.region);
            later(noted, PutOff::Refund, &mut due);
        }
        Some((due, by))
    }

    /// Steps that became due while something blocked the claim do not follow upon one another at
    /// once: they keep the distance that the policy gives them.
    fn apart(&self, at: usize, due: Date) -> Date {
        let Some(latest) = self.column.claim.last_step() else { return due };
        let Some(happened) = self.latest_on() else { return due };
        // What sends nothing may share its day with another step.
        let sends = self.steps().get(at).is_some_and(|step| !step.is_quiet());
        let least = i32::from(sends && latest.notice.is_some());
        if (due - happened).get_days() >= least {
            return self.after_message(sends, due);
        }
        let rung = self.steps().iter().position(|step| step.name == latest.step);
        let distance = rung.and_then(|rung| Some(self.counted(at)? - self.counted(rung)?));
        let days = distance.map_or(least, |distance| distance.get_days().max(least));
        self.after_message(sends, happened.checked_add(days.days()).unwrap_or(due))
    }

    /// A message comes a day after the one before it at the earliest, also where steps that send
    /// nothing lie between them.
    fn after_message(&self, sends: bool, due: Date) -> Date {
        if !sends || self.column.claim.last_step().is_none_or(|last| last.notice.is_some()) {
            return due; // the last one was a message itself
        }
        let mut steps = self.column.claim.steps.iter().rev();
        let Some(message) = steps.find(|taken| taken.notice.is_some()) else { return due };
        let zone = &self.case.rules.creditor.zone;
        let next = day_in(message.at, zone).tomorrow();
        next.map_or(due, |next| due.max(next))
    }

    /// The day that the step at `at` counts from.
    fn base_of(&self, at: usize) -> Option<Date> {
        let step = self.steps().get(at)?;
        Some(match step.at.anchor {
            Anchor::Due => self.column.due_on,
            Anchor::Issued => self.column.claim.invoice.as_ref()?.issued_on,
            Anchor::Default => self.begun()?,
            Anchor::Step(named) => match (self.happened_on(named), self.latest_on()) {
                (Some(day), _) | (None, Some(day)) => day,
                (None, None) if named < at => self.counted(named)?,
                (None, None) => self.column.due_on,
            },
        })
    }

    fn counted(&self, at: usize) -> Option<Date> {
        let step = self.steps().get(at)?;
        let base = self.base_of(at)?;
        let region = self.case.policy.region;
        Some(match step.at.before {
            true => step.at.span.before(base, region),
            false if step.at.anchor == Anchor::Issued => step.at.span.after(base, region),
            false => step.at.span.paced(self.persona.pace).after(base, region),
        })
    }

    /// The first moment of `day` at which the step may happen: a message needs an open window.
    fn opening(&self, step: &Step, day: Date) -> Option<Timestamp> {
        match step.action {
            StepAction::HandOff { .. } | StepAction::Quiet => {
                Some(crate::decision::start_of(day, &self.case.rules.creditor.zone))
            }
            _ => {
                let (window, zone) = self.case.window(self.persona);
                let name = self.case.rules.creditor.zone.iana_name();
                if name.is_some() && name == zone.iana_name() {
                    return window.opening_of(day, &zone);
                }
                // The day is the creditor's: where the debtor lives it may still be the one before.
                let begins = crate::decision::start_of(day, &self.case.rules.creditor.zone);
                window.next_open(begins, &zone)
            }
        }
    }

    fn holds(&self, when: &Condition, day: Date) -> bool {
        when.holds(&self.facts(when, day))
    }

    /// The facts for a condition. What belongs to the claim costs something to find out: it is
    /// there for conditions that read it.
    fn facts(&self, when: &Condition, day: Date) -> Facts<'_> {
        let interest = match when.reads_interest {
            true => self.column.interest_on(day),
            false => Decimal::ZERO,
        };
        let claim = when
            .reads_claim
            .then(|| self.case.claim_facts(self.column, day, (interest, self.begun())));
        self.case.facts(claim, Some(self.persona.name.as_str()), day)
    }

    /// The first day from tomorrow on which a condition holds, if the passing of days alone can
    /// make it hold.
    fn holds_from(&self, when: &Condition) -> Option<Date> {
        if !when.depends_on_day || !when.can_hold(&self.facts(when, self.case.today)) {
            return None;
        }
        (1..=CONDITION_HORIZON_DAYS)
            .filter_map(|days| self.case.today.checked_add(days.days()).ok())
            .find(|day| self.holds(when, *day))
    }

    /// A placement of the claim that `agency` refused or closed.
    fn given_back_by(&self, agency: &AgencyId) -> Option<&PlacementId> {
        let placements = self.case.account.placements.iter();
        let back = placements.filter(|(_, one)| {
            matches!(one.state, PlacementState::Rejected | PlacementState::Closed)
                && one.agency == *agency
                && one.claims.contains(self.column.invoice)
        });
        back.map(|(id, _)| id).next_back()
    }

    /// No handoff before default, where a law of ours applies (§ 286 BGB).
    fn lawful_handoff(&self) -> bool {
        self.case.rules.creditor.law == Law::None
            || self.begun().is_some_and(|from| from <= self.case.today)
    }
}
