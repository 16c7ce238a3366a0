//! What comes if nobody says anything: the account is played on, by the same commands that serve.
//!
//! Messages count as taken by their gateway at the moment at which they are decided, those that
//! are on their way at the beginning. What waits for a person goes on waiting.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    account::{Account, NoticeState},
    command::{Command, Refusal},
    event::AccountEvent,
    fact::Channel,
    ids::*,
    money::Decimal,
    policy::{PolicyRef, Rules, StepAction},
};

/// How far ahead the next thing to happen is looked for.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 3 * 366);

/// The next thing that happens by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Foreseen {
    /// When.
    pub at: Timestamp,
    /// Step of the ladder.
    pub step: StepName,
    /// What it does: `reminder`, `mahnung`, …, `hand_off`, `nothing`.
    pub kind: String,
    /// By which channel; absent where nothing is sent.
    pub channel: Option<Channel>,
    /// To whom; absent for a message.
    pub agency: Option<AgencyId>,
    /// Persona; absent for a handoff.
    pub persona: Option<PersonaName>,
    /// Claims.
    pub claims: Vec<InvoiceId>,
    /// Fee that it charges.
    pub fee: Option<Decimal>,
    /// By which policy.
    pub policy: PolicyRef,
}

/// An account that was played on.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// As it stands then.
    pub account: Account,
    /// What happened on the way.
    pub events: Vec<(Timestamp, AccountEvent)>,
}

impl Foreseen {
    /// What `event`, raised at `at`, is of that kind.
    fn of(at: Timestamp, event: &AccountEvent) -> Option<Self> {
        match event {
            AccountEvent::NoticeDecided(notice) => Some(Self {
                at,
                step: notice.step.clone(),
                kind: notice.kind.clone(),
                channel: Some(notice.channel),
                agency: None,
                persona: Some(notice.persona.clone()),
                claims: notice.claims.iter().map(|claim| claim.invoice.clone()).collect(),
                fee: notice.fee.as_ref().map(|(_, fee)| *fee),
                policy: notice.policy.clone(),
            }),
            AccountEvent::HandoffDue { agency, claims, step, policy, .. } => Some(Self {
                at,
                step: step.clone(),
                kind: "hand_off".to_owned(),
                channel: None,
                agency: Some(agency.clone()),
                persona: None,
                claims: claims.clone(),
                fee: None,
                policy: policy.clone(),
            }),
            AccountEvent::StepTaken { step, claims, persona, policy, .. } => Some(Self {
                at,
                step: step.clone(),
                kind: StepAction::Quiet.name().to_owned(),
                channel: None,
                agency: None,
                persona: Some(persona.clone()),
                claims: claims.clone(),
                fee: None,
                policy: policy.clone(),
            }),
            _ => None,
        }
    }
}

/// The next message, handoff or quiet step from `now` on, if nobody says anything.
///
/// # Errors
/// A refusal of a command of ours, which would be a mistake in the rules.
pub fn foresee(
    account: &Account,
    rules: &Arc<Rules>,
    now: Timestamp,
) -> Result<Option<Foreseen>, Refusal> {
    let end = now.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
    let mut future = Future::new(account, rules, now)?;
    let mut at = Some(now);
    while let Some(moment) = at.filter(|moment| *moment < end) {
        let (events, wake) = future.decide(moment)?;
        let first = events.iter().find_map(|event| Foreseen::of(moment, event));
        if first.is_some() {
            return Ok(first);
        }
        at = wake;
    }
    Ok(None)
}

/// Plays `account` on from `from` to just before `until`, as if nobody said anything.
///
/// # Errors
/// A refusal of a command of ours, which would be a mistake in the rules.
pub fn play_on(
    account: &Account,
    rules: &Arc<Rules>,
    from: Timestamp,
    until: Timestamp,
) -> Result<Played, Refusal> {
    let mut future = Future::new(account, rules, from)?;
    let mut at = Some(from);
    while let Some(moment) = at.filter(|moment| *moment < until) {
        let (events, mut wake) = future.decide(moment)?;
        let notices: Vec<NoticeId> = events.iter().filter_map(decided).collect();
        future.events.extend(events.into_iter().map(|event| (moment, event)));
        if !notices.is_empty() {
            notices.into_iter().try_for_each(|notice| future.send(notice, moment))?;
            wake = Some(moment); // what was sent may let something else come at once
        }
        at = wake;
    }
    Ok(Played { account: future.account, events: future.events })
}

fn decided(event: &AccountEvent) -> Option<NoticeId> {
    match event {
        AccountEvent::NoticeDecided(notice) => Some(notice.notice.clone()),
        _ => None,
    }
}

struct Future<'a> {
    account: Account,
    rules: &'a Arc<Rules>,
    events: Vec<(Timestamp, AccountEvent)>,
    /// Makes ids that no real decision has.
    looks: u32,
}

impl<'a> Future<'a> {
    fn new(account: &Account, rules: &'a Arc<Rules>, now: Timestamp) -> Result<Self, Refusal> {
        let mut future = Self { account: account.clone(), rules, events: Vec::new(), looks: 0 };
        if account.erased_at.is_none() {
            let waiting = account.notices.iter();
            let waiting = waiting.filter(|(_, notice)| notice.state == NoticeState::Decided);
            waiting.into_iter().try_for_each(|(notice, _)| future.send(notice.clone(), now))?;
        }
        Ok(future)
    }

    fn decide(
        &mut self,
        now: Timestamp,
    ) -> Result<(Vec<AccountEvent>, Option<Timestamp>), Refusal> {
        self.looks += 1;
        let seed = format!("foreseen-{}", self.looks).into();
        let command = Command::Decide { rules: Arc::clone(self.rules), now, seed };
        let executed = self.account.execute(&command)?;
        // A wake-up that is not in the future would be taken again at once, for ever.
        let soonest = now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        Ok((executed.events, executed.wake.map(|at| at.max(soonest))))
    }

    fn send(&mut self, notice: NoticeId, at: Timestamp) -> Result<(), Refusal> {
        let sent = Command::ConfirmSent { notice, at, rules: Arc::clone(self.rules) };
        let events = self.account.execute(&sent)?.events;
        self.events.extend(events.into_iter().map(|event| (at, event)));
        Ok(())
    }
}
