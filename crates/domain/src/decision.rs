//! What an account is due for at a moment, and if nothing, why not and until when. A person must
//! be able to explain each notice that went out and each one that did not.
//!
//! [`next_step`] is pure, total and deterministic: account, rules and time are all that it reads.

mod case;
mod explain;
mod foresee;
mod quiet;
mod reach;
mod recheck;

use std::sync::Arc;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Serialize;

pub(crate) use self::case::Case;
pub use self::{
    explain::{explain, view::*},
    foresee::{Foreseen, Played, foresee, play_on},
    quiet::QuietStep,
    reach::{channel_gap, contact_window},
    recheck::{Recheck, overtaken, recheck},
};
use crate::{
    account::{Account, PlacementState, Standing},
    book::Book,
    calendar::day_in,
    event::NoticeDecided,
    fact::DebtorProfile,
    ids::*,
    money::{Currency, Decimal},
    policy::*,
};
pub use crate::{command::missing_fields, ladder::PutOff};

/// What to do at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The one thing to do now.
    pub action: Action,
    /// Earliest moment at which waiting can end by itself; `None`: only a new fact can end it.
    pub wake: Option<Timestamp>,
    /// What was looked at: account-wide reasons first, then claim by claim.
    pub findings: Vec<Finding>,
    /// Persona chosen in each currency in which a step was due, and its condition.
    pub personas: Vec<(Currency, PersonaName, Option<Arc<str>>)>,
}

/// The one thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Nothing.
    Wait,
    /// Send this message.
    Notify(Box<NoticeDecided>),
    /// These claims are due to go to an agency.
    HandOff(HandoffDraft),
    /// This step happens, and nothing is sent.
    Pass(QuietStep),
}

/// A handoff that is due.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandoffDraft {
    /// To whom.
    pub agency: AgencyId,
    /// Claims.
    pub claims: Vec<InvoiceId>,
    /// Step.
    pub step: StepName,
    /// Who must agree.
    pub release: Release,
    /// Fields of § 13a RDG that are not there yet.
    pub missing: Vec<String>,
    /// By which policy.
    pub policy: PolicyRef,
}

/// What was found about a claim, or about the account as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `None`: the whole account.
    pub invoice: Option<InvoiceId>,
    /// The step that was considered, if it came to that.
    pub step: Option<StepName>,
    /// Why it waits; `None`: it is due now.
    pub waits: Option<WaitReason>,
    /// Until when; `None`: until something happens.
    pub until: Option<Timestamp>,
    /// Where the step's day is all that it waits for: that day. `until` is on a later one where
    /// the contact window is closed on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_on: Option<Date>,
}

/// Why nothing happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The key was destroyed.
    Erased,
    /// Insolvency: no notice, no handoff.
    Insolvent,
    /// The debtor died: a person finds out who inherits.
    Deceased,
    /// Master data have not arrived: nobody knows whom to write to.
    DebtorUnknown,
    /// A hold, on the account or the claim.
    OnHold(HoldId),
    /// A promise and its grace run.
    Promised(PromiseId),
    /// A plan runs and is kept.
    Planned(PlanId),
    /// No policy for the claim's currency is in force.
    NoPolicy(Currency),
    /// Nothing is owed.
    NothingOwed,
    /// A message about it is on its way.
    NoticePending(NoticeId),
    /// A message could not be delivered, or nobody knows: a person looks.
    NoticeParked(NoticeId),
    /// Disputed.
    Disputed,
    /// Barred since this day: the debtor may refuse to pay (§ 214 BGB).
    TimeBarred(Date),
    /// The debtor was a minor until this day and the contract is from before: a person sees whether
    /// it binds them (§§ 106 to 108 BGB).
    MadeByMinor(Date),
    /// Below the policy's minimum: shown, not dunned.
    BelowMinimum,
    /// Was old already when the policy met it: a person admits it.
    OldClaim,
    /// Money that waits on the account covers it: a person assigns it.
    CreditCovers,
    /// With an agency, or waiting to be released to one.
    Placed(PlacementId),
    /// The agency that the step names refused it, or was done with it, before: a person goes on.
    GivenBack(PlacementId),
    /// The step's moment has not come.
    NotBefore,
    /// The step's condition is false.
    ConditionFalse(Arc<str>),
    /// A step before the due date, which has passed.
    Expired,
    /// The step insists on one that never happened.
    StepMissing(StepName),
    /// No handoff: this payment went back or was assigned elsewhere, and no message has named since
    /// what is open, with a deadline that has passed.
    WentBack(PaymentId),
    /// The law does not allow it yet: no handoff before default.
    NotInDefault,
    /// A person said that it goes no further.
    NoFurther(OverrideId),
    /// All steps are done.
    TopOfLadder,
    /// Outside the contact window.
    OutsideWindow,
    /// Messages of a day are spread over some time: its own moment has not come.
    Spread,
    /// As many contacts as allowed in the span.
    ContactCap,
    /// What is late is caught up one message a day, and today there was one.
    CatchingUp,
    /// No channel can reach the debtor.
    NoChannel,
}

/// Says what `account` is due for at `now`. `fresh` is the id that a notice would get.
pub fn next_step(account: &Account, rules: &Rules, now: Timestamp, fresh: &NoticeId) -> Decision {
    next_step_on(account, rules, now, day_in(now, &rules.creditor.zone), fresh)
}

/// As [`next_step`]; `today` is the day of `now` in the creditor's zone.
pub(crate) fn next_step_on(
    account: &Account,
    rules: &Rules,
    now: Timestamp,
    today: Date,
    fresh: &NoticeId,
) -> Decision {
    let mut decision =
        Decision { action: Action::Wait, wake: None, findings: Vec::new(), personas: Vec::new() };
    let debtor = match block(account, &rules.creditor.zone, today) {
        Err((reason, until)) => {
            decision.wait(None, None, reason, until);
            return decision;
        }
        Ok(debtor) => debtor,
    };
    for book in Book::all(account) {
        let currency = book.currency;
        let Some(policy) = rules.policy(currency) else {
            if book.open_on(today) > Decimal::ZERO {
                decision.wait(None, None, WaitReason::NoPolicy(currency), None);
            }
            continue;
        };
        Case::new(account, rules, policy, &book, debtor, (now, today)).decide(fresh, &mut decision);
        if decision.action != Action::Wait {
            break;
        }
    }
    decision
}

impl Decision {
    fn wait(
        &mut self,
        invoice: Option<&InvoiceId>,
        step: Option<&StepName>,
        reason: WaitReason,
        until: Option<Timestamp>,
    ) {
        if let Some(until) = until {
            self.wake = Some(self.wake.map_or(until, |wake| wake.min(until)));
        }
        self.findings.push(Finding {
            invoice: invoice.cloned(),
            step: step.cloned(),
            waits: Some(reason),
            until,
            due_on: None,
        });
    }
}

/// What stops the whole account, and until when; else the debtor.
fn block<'a>(
    account: &'a Account,
    zone: &TimeZone,
    today: Date,
) -> Result<&'a DebtorProfile, (WaitReason, Option<Timestamp>)> {
    if account.erased_at.is_some() {
        return Err((WaitReason::Erased, None));
    }
    if account.insolvent_on.is_some() {
        return Err((WaitReason::Insolvent, None));
    }
    if account.deceased_on.is_some() {
        return Err((WaitReason::Deceased, None));
    }
    if let Some((hold, until)) = account.hold_on(None, today) {
        return Err((WaitReason::OnHold(hold.clone()), until.map(|day| after(day, zone))));
    }
    let promised = account.promises.iter().find(|(_, p)| p.standing == Standing::Open);
    if let Some((id, _)) = promised {
        // Its end is an event of its own; see `review`.
        return Err((WaitReason::Promised(id.clone()), None));
    }
    account.profile().ok_or((WaitReason::DebtorUnknown, None))
}

/// Whether something stops the whole account.
pub(crate) fn blocked(account: &Account, zone: &TimeZone, today: Date) -> bool {
    block(account, zone, today).is_err()
}

/// The first moment of the day after `day` in `zone`.
pub(crate) fn after(day: Date, zone: &TimeZone) -> Timestamp {
    start_of(day.tomorrow().unwrap_or(day), zone)
}

/// The first moment of `day` in `zone`.
pub(crate) fn start_of(day: Date, zone: &TimeZone) -> Timestamp {
    day.to_zoned(zone.clone()).map_or(Timestamp::MAX, |start| start.timestamp())
}

impl Account {
    /// An active hold on the claim, or with `None` on the whole account, and its last day.
    pub fn hold_on(
        &self,
        invoice: Option<&InvoiceId>,
        today: Date,
    ) -> Option<(&HoldId, Option<Date>)> {
        self.holds.iter().find_map(|(id, hold)| {
            let placed = hold.placed.as_ref().filter(|_| !hold.released)?;
            let active = placed.until.is_none_or(|until| today <= until);
            (active && placed.invoice.as_ref() == invoice).then_some((id, placed.until))
        })
    }

    /// How the debtor has paid so far, over the claims of one book.
    pub fn history(&self, book: &Book<'_>) -> History {
        let kept = self.promises.values().filter(|p| p.standing == Standing::Kept).count();
        History { promises_kept: u32::try_from(kept).unwrap_or(u32::MAX), ..book.history }
    }

    /// Whether any placement of the account waits for persons.
    pub fn awaits_release(&self) -> bool {
        self.placements.values().any(|p| p.state == PlacementState::Due)
    }
}
