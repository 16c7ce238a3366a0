//! What an account is due for at a moment, and if nothing, why not and until when. A person must
//! be able to explain each notice that went out and each one that did not.
//!
//! [`next_step`] is pure, total and deterministic: account, rules and time are all that it reads.

use std::cell::OnceCell;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::Serialize;

use crate::{
    account::{Account, NoticeState, PlacementState, Standing},
    book::{Book, ClaimBook},
    calendar::{Region, day_in},
    contact::{ContactWindow, Hours},
    event::{ChannelGap, NoticeClaim, NoticeDecided, Suppression},
    fact::{Channel, DebtorProfile},
    ids::*,
    ladder::{self, Rung},
    law,
    money::{Currency, Decimal},
    policy::*,
};

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
    pub personas: Vec<(Currency, PersonaName, Option<String>)>,
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
}

/// A handoff that is due.
#[derive(Debug, Clone, PartialEq)]
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
    ConditionFalse(String),
    /// A step before the due date, which has passed.
    Expired,
    /// The step insists on one that never happened.
    StepMissing(StepName),
    /// The law does not allow it yet: no handoff before default.
    NotInDefault,
    /// All steps are done.
    TopOfLadder,
    /// Outside the contact window.
    OutsideWindow,
    /// As many contacts as allowed in the span.
    ContactCap,
    /// No channel can reach the debtor.
    NoChannel,
}

/// A claim whose step is due now.
struct Due<'a> {
    column: &'a ClaimBook<'a>,
    rung: usize,
}

/// Says what `account` is due for at `now`. `fresh` is the id that a notice would get.
pub fn next_step(account: &Account, rules: &Rules, now: Timestamp, fresh: &NoticeId) -> Decision {
    let mut decision =
        Decision { action: Action::Wait, wake: None, findings: Vec::new(), personas: Vec::new() };
    let zone = &rules.creditor.zone;
    let today = day_in(now, zone);
    let debtor = match block(account, zone, today) {
        Err((reason, until)) => {
            decision.wait(None, None, reason, until);
            return decision;
        }
        Ok(debtor) => debtor,
    };
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        let Some(policy) = rules.policy(currency) else {
            if book.open() > Decimal::ZERO {
                decision.wait(None, None, WaitReason::NoPolicy(currency), None);
            }
            continue;
        };
        let (history, open) = (OnceCell::new(), OnceCell::new());
        let case = Case { account, rules, policy, book: &book, debtor, now, today, history, open };
        case.decide(fresh, &mut decision);
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

/// The first moment of the day after `day` in `zone`.
pub(crate) fn after(day: Date, zone: &TimeZone) -> Timestamp {
    start_of(day.checked_add(1.day()).unwrap_or(day), zone)
}

/// The first moment of `day` in `zone`.
pub(crate) fn start_of(day: Date, zone: &TimeZone) -> Timestamp {
    day.to_zoned(zone.clone()).map_or(Timestamp::MAX, |start| start.timestamp())
}

/// One currency of an account at a moment.
pub(crate) struct Case<'a> {
    pub account: &'a Account,
    pub rules: &'a Rules,
    pub policy: &'a Policy,
    pub book: &'a Book<'a>,
    pub debtor: &'a DebtorProfile,
    pub now: Timestamp,
    pub today: Date,
    /// Both walk over all claims and are asked for each claim.
    history: OnceCell<History>,
    open: OnceCell<Open>,
}

/// What is open on all claims of a case.
#[derive(Clone, Copy)]
struct Open {
    amount: Decimal,
    claims: u32,
    oldest_due_on: Option<Date>,
}

impl<'a> Case<'a> {
    fn decide(&self, fresh: &NoticeId, decision: &mut Decision) {
        let open: Vec<&ClaimBook<'_>> =
            self.book.claims.iter().filter(|column| column.open() > Decimal::ZERO).collect();
        if open.is_empty() {
            decision.wait(None, None, WaitReason::NothingOwed, None);
            return;
        }
        let Some(persona) = self.persona() else {
            decision.wait(None, None, WaitReason::NoChannel, None); // a policy for nobody
            return;
        };
        decision.personas.push((
            self.book.currency,
            persona.name.clone(),
            persona.when.as_ref().map(|when| when.source.to_string()),
        ));
        let mut due: Vec<Due<'_>> = Vec::new();
        for column in open {
            if let Some((reason, until)) = self.claim_block(column) {
                decision.wait(Some(column.invoice), None, reason, until);
                continue;
            }
            match ladder::climb(self, column, persona) {
                Rung::Due(rung) => due.push(Due { column, rung }),
                Rung::Waits(found) => {
                    for (rung, reason, until) in found {
                        let step = rung.map(|at| &self.policy.steps[at].name);
                        decision.wait(Some(column.invoice), step, reason, until);
                    }
                }
            }
        }
        let (handoffs, messages): (Vec<Due<'_>>, Vec<Due<'_>>) = due.into_iter().partition(|due| {
            matches!(self.policy.steps[due.rung].action, StepAction::HandOff { .. })
        });
        if let Some(first) = handoffs.first() {
            let together: Vec<&Due<'_>> =
                handoffs.iter().filter(|due| due.rung == first.rung).collect();
            if let Some(draft) = self.handoff(&together) {
                decision.action = Action::HandOff(draft);
                return;
            }
        }
        if !messages.is_empty() {
            self.message(messages, persona, fresh, decision);
        }
    }

    /// What stops one claim, and until when.
    fn claim_block(&self, column: &ClaimBook<'_>) -> Option<(WaitReason, Option<Timestamp>)> {
        let zone = &self.rules.creditor.zone;
        let claim = column.claim;
        if let Some(notice) = &claim.pending {
            let state = self.account.notices.get(notice).map(|notice| notice.state);
            return Some(match state {
                Some(NoticeState::Parked | NoticeState::Unknown) => {
                    (WaitReason::NoticeParked(notice.clone()), None)
                }
                _ => (WaitReason::NoticePending(notice.clone()), None),
            });
        }
        if let Some(placement) = &claim.placement {
            return Some((WaitReason::Placed(placement.clone()), None));
        }
        if claim.disputed() {
            return Some((WaitReason::Disputed, None));
        }
        if let Some((hold, until)) = self.account.hold_on(Some(column.invoice), self.today) {
            let until = until.map(|day| after(day, zone));
            return Some((WaitReason::OnHold(hold.clone()), until));
        }
        let in_plan = self
            .account
            .plans
            .iter()
            .find(|(_, p)| p.standing == Standing::Open && p.claims.contains(column.invoice));
        if let Some((plan, _)) = in_plan {
            return Some((WaitReason::Planned(plan.clone()), None)); // ends by `review`
        }
        if column.open() < self.policy.minimum {
            return Some((WaitReason::BelowMinimum, None));
        }
        if !claim.admitted && self.was_old(column) {
            return Some((WaitReason::OldClaim, None));
        }
        if self.book.unallocated >= column.open() {
            return Some((WaitReason::CreditCovers, None));
        }
        None
    }

    /// The claim was overdue for longer than the policy takes without asking, on the day on
    /// which the policy and the claim first met.
    fn was_old(&self, column: &ClaimBook<'_>) -> bool {
        let met = self.account.met.get(&self.policy.reference.name).map_or(self.now, |(at, _)| *at);
        let met = column.claim.recorded_at.map_or(met, |recorded| recorded.max(met));
        let overdue = day_in(met, &self.rules.creditor.zone) - column.due_on;
        overdue.get_days() > self.policy.meets_overdue_days
    }

    /// The first persona that matches. The last one always does.
    pub(crate) fn persona(&self) -> Option<&'a Persona> {
        let matches = |persona: &&Persona| {
            persona.when.as_ref().is_none_or(|when| when.holds(&self.facts(None, None)))
        };
        let personas = &self.policy.personas;
        personas.iter().find(matches).or_else(|| personas.last())
    }

    pub(crate) fn facts<'f>(
        &'f self,
        claim: Option<(&ClaimBook<'_>, Date)>,
        persona: Option<&'f str>,
    ) -> Facts<'f> {
        let today = claim.map_or(self.today, |(_, day)| day);
        let open = self.open.get_or_init(|| self.sum_open());
        Facts {
            debtor: self.debtor,
            history: *self.history.get_or_init(|| self.account.history(self.book)),
            account: AccountFacts {
                outstanding: open.amount,
                open_claims: open.claims,
                oldest_days_overdue: open.oldest_due_on.map_or(0, |due| (today - due).get_days()),
            },
            claim: claim.map(|(column, day)| ClaimFacts {
                outstanding: column.open(),
                principal: column.principal,
                fees: column.fees,
                days_overdue: (day - column.due_on).get_days(),
                in_default: self.in_default(column, day),
                currency: self.book.currency,
            }),
            persona,
            today,
        }
    }

    fn sum_open(&self) -> Open {
        let open = self.book.claims.iter().filter(|column| column.open() > Decimal::ZERO);
        let nothing = Open { amount: Decimal::ZERO, claims: 0, oldest_due_on: None };
        open.fold(nothing, |sum, column| Open {
            amount: sum.amount + column.open(),
            claims: sum.claims + 1,
            oldest_due_on: Some(sum.oldest_due_on.map_or(column.due_on, |d| d.min(column.due_on))),
        })
    }

    pub(crate) fn in_default(&self, column: &ClaimBook<'_>, day: Date) -> bool {
        law::default_begins(column.claim, &self.rules.creditor, Some(self.debtor))
            .is_some_and(|(from, _)| from <= day)
    }

    fn handoff(&self, due: &[&Due<'_>]) -> Option<HandoffDraft> {
        let step = &self.policy.steps[due.first()?.rung];
        let StepAction::HandOff { agency, release } = &step.action else { return None };
        let claims: Vec<InvoiceId> = due.iter().map(|due| due.column.invoice.clone()).collect();
        let missing = missing_fields(self.account, &self.rules.creditor, &claims);
        Some(HandoffDraft {
            agency: agency.clone(),
            claims,
            step: step.name.clone(),
            release: *release,
            missing,
            policy: self.policy.reference.clone(),
        })
    }

    fn message(
        &self,
        mut due: Vec<Due<'_>>,
        persona: &Persona,
        fresh: &NoticeId,
        decision: &mut Decision,
    ) {
        due.sort_by_key(|due| (std::cmp::Reverse(due.rung), due.column.due_on));
        if self.policy.bundle == Bundle::Claim {
            due.truncate(1);
        }
        let Some(lead) = due.first() else { return };
        let (invoice, step) = (lead.column.invoice, &self.policy.steps[lead.rung]);
        let (window, zone) = self.window(persona);
        let cap = self.policy.cap.next_allowed(&self.contacts(), self.now);
        let reason =
            if cap > self.now { WaitReason::ContactCap } else { WaitReason::OutsideWindow };
        let open_at = window.next_open(cap.max(self.now), &zone);
        if open_at != Some(self.now) {
            decision.wait(Some(invoice), Some(&step.name), reason, open_at);
            return;
        }
        let mut passed_over = Vec::new();
        let Some(channel) = self.channel(persona, &mut passed_over) else {
            decision.wait(Some(invoice), Some(&step.name), WaitReason::NoChannel, None);
            return;
        };
        let claims = due.iter().map(|due| self.notice_claim(due)).collect();
        let wanted = match step.action {
            StepAction::Mahnung | StepAction::Offer { .. } => step.fee,
            _ => Decimal::ZERO,
        };
        let in_default = self.in_default(lead.column, self.today);
        let fee = law::fee_allowed(wanted, channel, in_default, &self.rules.creditor, self.debtor);
        let plans = match &step.action {
            StepAction::Offer { plans } => plans.clone(),
            _ => Vec::new(),
        };
        for due in &due {
            decision.findings.push(Finding {
                invoice: Some(due.column.invoice.clone()),
                step: Some(self.policy.steps[due.rung].name.clone()),
                waits: None,
                until: None,
            });
        }
        decision.action = Action::Notify(Box::new(NoticeDecided {
            notice: fresh.clone(),
            policy: self.policy.reference.clone(),
            step: step.name.clone(),
            kind: step.action.name().to_owned(),
            text: step.text.to_string(),
            persona: persona.name.clone(),
            persona_because: persona.when.as_ref().map(|when| when.source.to_string()),
            language: self.language(persona),
            tone: persona.tone.to_string(),
            channel,
            passed_over,
            pay_with: self.pay_with(persona),
            currency: self.book.currency,
            claims,
            fee: (fee > Decimal::ZERO).then(|| (invoice.clone(), fee)),
            deadline: step.deadline,
            plans,
            at: self.now,
        }));
    }

    fn notice_claim(&self, due: &Due<'_>) -> NoticeClaim {
        let step = &self.policy.steps[due.rung];
        let begun = law::default_begins(due.column.claim, &self.rules.creditor, Some(self.debtor));
        NoticeClaim {
            invoice: due.column.invoice.clone(),
            step: step.name.clone(),
            principal: due.column.outstanding,
            fees: due.column.fees,
            starts_default: step.action == StepAction::Mahnung
                && begun.is_none_or(|(from, _)| from > self.today),
        }
    }

    /// Contacts that were made, and those that are on their way.
    fn contacts(&self) -> Vec<Timestamp> {
        let mut contacts = self.account.contacts.clone();
        let on_their_way = |state| matches!(state, NoticeState::Decided | NoticeState::Unknown);
        let pending = self.account.notices.values().filter(|notice| on_their_way(notice.state));
        contacts.extend(pending.map(|notice| notice.decided.at));
        contacts.sort_unstable();
        contacts
    }

    /// When this persona of this debtor may be contacted, and in which zone: policy, persona and
    /// law, without the holidays where the debtor lives, narrowed to the debtor's wish unless
    /// that leaves nothing.
    pub(crate) fn window(&self, persona: &Persona) -> (ContactWindow, TimeZone) {
        contact_window(persona, self.debtor, &self.rules.creditor)
    }

    fn channel(
        &self,
        persona: &Persona,
        passed_over: &mut Vec<(Channel, ChannelGap)>,
    ) -> Option<Channel> {
        let mut order = persona.channels.clone();
        let wish = |channel: &Channel| {
            let prefers = &self.debtor.prefers;
            prefers.iter().position(|wished| wished == channel).unwrap_or(prefers.len())
        };
        order.sort_by_key(wish);
        for channel in order {
            match channel_gap(self.account, self.debtor, &self.rules.creditor, channel) {
                None => return Some(channel),
                Some(gap) => passed_over.push((channel, gap)),
            }
        }
        None
    }

    fn language(&self, persona: &Persona) -> String {
        let languages = &self.policy.languages;
        let wanted = match &persona.language {
            LanguageChoice::Debtor => self.debtor.language.as_str(),
            LanguageChoice::Fixed(fixed) => fixed.as_str(),
        };
        let primary = wanted.split('-').next().unwrap_or(wanted);
        let exact = languages.iter().find(|have| have.eq_ignore_ascii_case(wanted));
        let found = exact.or_else(|| languages.iter().find(|have| have.as_str() == primary));
        found.or_else(|| languages.first()).cloned().unwrap_or_default()
    }

    fn pay_with(&self, persona: &Persona) -> Vec<crate::fact::PayWith> {
        let mut ways = persona.pay_with.clone();
        let wish = |way: &crate::fact::PayWith| {
            let wished = &self.debtor.pays_with;
            wished.iter().position(|one| one == way).unwrap_or(wished.len())
        };
        ways.sort_by_key(wish);
        ways
    }
}

/// See [`Case::window`].
pub fn contact_window(
    persona: &Persona,
    debtor: &DebtorProfile,
    creditor: &Creditor,
) -> (ContactWindow, TimeZone) {
    debtors_window(persona.window, debtor, creditor)
}

fn debtors_window(
    base: ContactWindow,
    debtor: &DebtorProfile,
    creditor: &Creditor,
) -> (ContactWindow, TimeZone) {
    let zone = debtor
        .timezone
        .as_deref()
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or_else(|| creditor.zone.clone());
    let mut window = base;
    if let Some(region) = Region::of(&debtor.country, debtor.region.as_deref()) {
        window = window.without_holidays_of(region);
    }
    if let Some(hours) = debtor.hours.as_deref().and_then(|text| text.parse::<Hours>().ok()) {
        let wished = window.narrowed(None, Some(hours));
        if !wished.is_empty() {
            window = wished;
        }
    }
    (window, zone)
}

/// Why `channel` cannot reach the debtor; `None`: it can.
pub fn channel_gap(
    account: &Account,
    debtor: &DebtorProfile,
    creditor: &Creditor,
    channel: Channel,
) -> Option<ChannelGap> {
    if !creditor.channels.contains(&channel) {
        return Some(ChannelGap::NotOffered);
    }
    if !debtor.reachable.contains(&channel) {
        return Some(ChannelGap::NoAddress);
    }
    if channel == Channel::Sms && debtor.sms_consent == Some(false) {
        return Some(ChannelGap::NoConsent);
    }
    account.dead_channels.get(&channel).copied()
}

/// Fields of § 13a RDG that the placement of `claims` lacks, in words with the invoice's id.
pub fn missing_fields(account: &Account, creditor: &Creditor, claims: &[InvoiceId]) -> Vec<String> {
    let mut missing = Vec::new();
    if !creditor.complete_for_placement {
        missing.push("creditor's name and address".to_owned());
    }
    if !account.profile().is_some_and(|p| p.reachable.contains(&Channel::Letter)) {
        missing.push("debtor's address".to_owned());
    }
    for id in claims {
        let Some(invoice) = account.claims.get(id).and_then(|claim| claim.invoice.as_ref()) else {
            missing.push(format!("invoice {id}"));
            continue;
        };
        if invoice.contract_on.is_none() {
            missing.push(format!("date of the contract of {id}"));
        }
        if !invoice.contract_object_known {
            missing.push(format!("object of the contract of {id}"));
        }
    }
    missing
}

/// What to do with a decided message at the moment of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recheck {
    /// All is as it was decided.
    Send,
    /// The window has closed meanwhile.
    Later(Timestamp),
    /// What it says is no longer so.
    Suppress(Suppression),
    /// It is not waiting to be sent: sent, suppressed or unknown to the account.
    NotPending,
}

/// Looks at the account once more before a message leaves: whoever has paid, disagreed or asked
/// for time in between is not written to.
pub fn recheck(account: &Account, rules: &Rules, notice: &NoticeId, now: Timestamp) -> Recheck {
    let Some(entry) = account.notices.get(notice) else { return Recheck::NotPending };
    if entry.state != NoticeState::Decided {
        return Recheck::NotPending;
    }
    let decided = &entry.decided;
    let today = day_in(now, &rules.creditor.zone);
    let debtor = match block(account, &rules.creditor.zone, today) {
        Ok(debtor) => debtor,
        Err((reason, _)) => {
            return Recheck::Suppress(match reason {
                WaitReason::Erased => Suppression::Erased,
                WaitReason::Insolvent => Suppression::Insolvent,
                WaitReason::Deceased => Suppression::Deceased,
                WaitReason::Promised(_) => Suppression::Promised,
                WaitReason::DebtorUnknown => Suppression::ChannelGone,
                _ => Suppression::OnHold,
            });
        }
    };
    let book = Book::of(account, decided.currency);
    let mut open = Decimal::ZERO;
    let mut changed = false;
    for part in &decided.claims {
        let Some(column) = book.claim(&part.invoice) else {
            return Recheck::Suppress(Suppression::AmountsChanged);
        };
        let policy = rules.policy(decided.currency);
        let step = policy.and_then(|p| p.steps.iter().find(|step| step.name == part.step));
        if !ladder::still_fits(step, &decided.kind, column.due_on, today) {
            return Recheck::Suppress(Suppression::AmountsChanged);
        }
        open += column.open();
        changed |= column.outstanding != part.principal || column.fees != part.fees;
        if column.claim.disputed() {
            return Recheck::Suppress(Suppression::Disputed);
        }
        if account.hold_on(Some(&part.invoice), today).is_some() {
            return Recheck::Suppress(Suppression::OnHold);
        }
        if column.claim.placement.is_some() {
            return Recheck::Suppress(Suppression::Placed);
        }
        let mut plans = account.plans.values();
        if plans.any(|p| p.standing == Standing::Open && p.claims.contains(&part.invoice)) {
            return Recheck::Suppress(Suppression::Planned);
        }
        if book.unallocated > Decimal::ZERO && book.unallocated >= column.open() {
            return Recheck::Suppress(Suppression::CreditCovers);
        }
    }
    if open.is_zero() {
        return Recheck::Suppress(Suppression::Paid);
    }
    if changed {
        return Recheck::Suppress(Suppression::AmountsChanged);
    }
    if channel_gap(account, debtor, &rules.creditor, decided.channel).is_some() {
        return Recheck::Suppress(Suppression::ChannelGone);
    }
    // The policy may have changed since: its window for everybody counts then, or the law's.
    let personas = rules.policy(decided.currency).map_or(&[][..], |policy| &policy.personas);
    let persona = personas.iter().find(|one| one.name == decided.persona);
    let persona = persona.or_else(|| personas.last());
    let base = persona.map_or_else(|| lawful_window(&rules.creditor), |persona| persona.window);
    let (window, zone) = debtors_window(base, debtor, &rules.creditor);
    match window.next_open(now, &zone) {
        Some(open) if open > now => Recheck::Later(open),
        Some(_) => Recheck::Send,
        None => Recheck::Suppress(Suppression::ChannelGone),
    }
}

/// Where no policy narrows it.
fn lawful_window(creditor: &Creditor) -> ContactWindow {
    match creditor.law {
        Law::None => ContactWindow::decency_default(),
        Law::De | Law::At | Law::Ch => ContactWindow::law_default_de(),
    }
    .without_holidays_of(creditor.region)
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
        let (mut paid, mut late, mut days) = (0u32, 0u32, 0i64);
        let mut disputes = 0;
        for column in &book.claims {
            disputes += column.claim.disputes.values().filter(|d| d.opened.is_some()).count();
            let Some(settled) = column.principal_settled_on.filter(|_| column.by_money) else {
                continue;
            };
            paid += 1;
            let over = (settled - column.due_on).get_days();
            if over > 0 {
                late += 1;
                days += i64::from(over);
            }
        }
        let share = |part: i64| match paid {
            0 => Decimal::ZERO,
            _ => (Decimal::from(part) / Decimal::from(paid)).round_dp(4),
        };
        let kept = self.promises.values().filter(|p| p.standing == Standing::Kept).count();
        History {
            invoices_paid: paid,
            late_share: share(i64::from(late)),
            average_days_late: share(days),
            promises_kept: u32::try_from(kept).unwrap_or(u32::MAX),
            disputes: u32::try_from(disputes).unwrap_or(u32::MAX),
        }
    }

    /// Whether any placement of the account waits for persons.
    pub fn awaits_release(&self) -> bool {
        self.placements.values().any(|p| p.state == PlacementState::Due)
    }
}
