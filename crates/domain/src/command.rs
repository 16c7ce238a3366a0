//! Commands: what can be asked of an account, and the rules by which it becomes events.
//!
//! [`Account::execute`] checks first and records then: a refusal leaves the account untouched. The
//! second arrival of a fact records nothing.

mod delivery;
mod handoff;
mod interest;
mod overrule;
mod record;
mod settlement;

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use thiserror::Error;

pub use self::handoff::missing_fields;
pub(crate) use self::settlement::{owed, reverse_fees};
use self::{
    delivery::review_delivery,
    handoff::{
        complete_automatic, go_out, list_untold, recall, refresh_handoffs, release,
        withdraw_unmeant,
    },
    interest::{look_for_rates, waive_rests},
    record::record,
    settlement::follow_up,
};
use crate::{
    account::*,
    arrangement,
    book::Book,
    calendar::day_in,
    claim::Claim,
    decision::{Action, Decision, Finding, WaitReason, blocked, next_step_on, start_of},
    event::*,
    fact::*,
    ids::*,
    law,
    money::{Currency, Decimal, Money},
    overrides::Override,
    policy::{InterestClaimed, Release, Rules},
    watch::{Watch, watch},
};

/// A command. Time, ids and the rules in force arrive with it.
#[derive(Debug, Clone)]
// Facts are by far the most frequent: a box for each would cost more than the room it saves.
#[allow(clippy::large_enum_variant)]
pub enum Command {
    /// Record what somebody told us.
    Record {
        /// What.
        fact: Fact,
        /// When it happened, and the id it came with.
        stamp: Stamp,
        /// When we learnt of it.
        at: Timestamp,
        /// The account itself: a payment assigned to it stays.
        account: AccountId,
        /// Creditor in whose zone days are meant.
        rules: Arc<Rules>,
    },
    /// Look at the account and do what is due.
    Decide {
        /// Creditor and policies in force.
        rules: Arc<Rules>,
        /// The moment.
        now: Timestamp,
        /// Makes ids of notices and placements: 20 characters at most, unique to this command.
        seed: Arc<str>,
    },
    /// A gateway took the message.
    ConfirmSent {
        /// Which.
        notice: NoticeId,
        /// When the attempt began; the deadline printed in it counts from that day.
        at: Timestamp,
        /// Creditor and policies in force.
        rules: Arc<Rules>,
    },
    /// The message is about to leave: refused where its account was erased since the last look.
    Leave {
        /// Which.
        notice: NoticeId,
    },
    /// The message does not go out.
    Suppress {
        /// Which.
        notice: NoticeId,
        /// Why.
        reason: Suppression,
    },
    /// The message could not be delivered, or nobody knows.
    Park {
        /// Which.
        notice: NoticeId,
        /// Bytes may have left.
        outcome_unknown: bool,
    },
    /// A person decides that a parked message counts as not sent.
    Discard {
        /// Which.
        notice: NoticeId,
        /// Who.
        by: String,
    },
    /// A person lets a claim enter the ladder that was old, or that a minor made.
    Admit {
        /// Claim.
        invoice: InvoiceId,
        /// Who.
        by: String,
    },
    /// A person decides differently for the account or a claim.
    SetOverride {
        /// As it is to be kept.
        set: Override,
        /// Creditor and policies in force.
        rules: Arc<Rules>,
    },
    /// A person takes that back.
    LiftOverride {
        /// Which.
        id: OverrideId,
        /// Who.
        by: String,
        /// The moment.
        now: Timestamp,
        /// Creditor and policies in force.
        rules: Arc<Rules>,
    },
    /// Pay later: the debtor names a day.
    Promise {
        /// Id.
        promise: PromiseId,
        /// Last day.
        until: Date,
        /// The moment.
        now: Timestamp,
        /// Creditor and policies in force.
        rules: Arc<Rules>,
        /// A person of the finance team agreed: the policy's limits do not count.
        by_person: bool,
    },
    /// Pay in instalments.
    AgreePlan {
        /// Id.
        plan: PlanId,
        /// Currency of the claims.
        currency: Currency,
        /// Day and amount of each rate, as shown to the debtor: they must add up to what is open.
        rates: Vec<Rate>,
        /// The moment.
        now: Timestamp,
        /// Creditor and policies in force.
        rules: Arc<Rules>,
        /// A person of the finance team agreed: the policy's terms do not count.
        by_person: bool,
    },
    /// A person agrees to a placement; it goes out once enough have.
    ReleasePlacement {
        /// Which.
        placement: PlacementId,
        /// Who.
        by: String,
        /// The moment.
        now: Timestamp,
        /// Creditor and policies in force.
        rules: Arc<Rules>,
    },
    /// Destroy the key.
    Erase {
        /// The moment.
        at: Timestamp,
    },
}

/// Why a command records nothing. The user's to mend, unlike a fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the messages say it
pub enum Refusal {
    #[error("the account was erased")]
    Erased,
    #[error("{kind} {id} is on the account already, with other content")]
    Contradicts { kind: &'static str, id: String },
    #[error("invoice {invoice} is in {expected}, not in {found}")]
    OtherCurrency { invoice: InvoiceId, expected: String, found: String },
    #[error("payment {payment} is in {expected}, not in {found}")]
    OtherPaymentCurrency { payment: PaymentId, expected: String, found: String },
    #[error("{amount} has more than the {allowed} decimals of {currency}")]
    TooPrecise { amount: Decimal, currency: String, allowed: u32 },
    #[error("no notice {0} on this account")]
    UnknownNotice(NoticeId),
    #[error("notice {0} is not parked")]
    NotParked(NoticeId),
    #[error("no claim {0} on this account")]
    UnknownClaim(InvoiceId),
    #[error("the override changes nothing: name what is to be different")]
    EmptyOverride,
    #[error("no override {0} is on the account")]
    NoSuchOverride(OverrideId),
    #[error("no policy in force has a {kind} `{name}`; there are: {known}")]
    NotInPolicy { kind: &'static str, name: String, known: String },
    #[error("{0} is no pace: between 0.1 and 10; 2 waits twice as long")]
    NoPace(Decimal),
    #[error("{0} is no minimum: name an amount of zero or more")]
    NoMinimum(Decimal),
    #[error("nothing is owed")]
    NothingOwed,
    #[error("the day has passed already")]
    DayPassed,
    #[error("the last day that can be promised is {0}")]
    TooLate(Date),
    #[error("a promise is running until {0}")]
    PromiseRuns(Date),
    #[error("the promise for {until} was not kept; the debtor can make another from {again_from}")]
    PromiseBroken { until: Date, again_from: Date },
    #[error("a plan is running")]
    PlanRuns,
    #[error("no policy offers these instalments")]
    NotOffered,
    #[error("the rates add up to {rates}, but {open} is open")]
    RatesDoNotAddUp { rates: Money, open: Money },
    #[error(
        "the debtor is a minor, or was one when it was bought: a person has to see first that it binds \
         them (§§ 107, 108 BGB)"
    )]
    Minor,
    #[error("no placement {0} waits to be released")]
    NoSuchPlacement(PlacementId),
    #[error("the placement lacks: {}", .0.join(", "))]
    Incomplete(Vec<String>),
    #[error("{0} agreed already: a second person has to")]
    SamePerson(String),
    #[error("the claim cannot be handed over: {0:?}")]
    Blocked(Suppression),
}

/// Events as they are raised: applied at once, so that the next rule sees them.
pub(crate) struct Raised<'a> {
    pub account: &'a mut Account,
    pub events: Vec<AccountEvent>,
}

impl Raised<'_> {
    pub(crate) fn raise(&mut self, event: AccountEvent) {
        self.account.apply_event(&event);
        self.events.push(event);
    }
}

/// What a command led to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Executed {
    /// Events, already applied.
    pub events: Vec<AccountEvent>,
    /// After [`Command::Decide`]: when to decide again, if time alone can change anything.
    pub wake: Option<Timestamp>,
    /// After [`Command::Decide`]: what the last look at the account found.
    pub findings: Vec<Finding>,
}

impl Account {
    /// Executes a command.
    pub fn execute(&mut self, command: &Command) -> Result<Executed, Refusal> {
        debug_assert!(self.books_are_fresh(), "somebody changed the account without an event");
        let executed = self.carry_out(command);
        debug_assert!(self.books_are_fresh(), "an event touched the books and let them stand");
        executed
    }

    fn carry_out(&mut self, command: &Command) -> Result<Executed, Refusal> {
        if self.erased_at.is_some() {
            match command {
                Command::Decide { .. } => return Ok(Executed::default()),
                // What was decided before the erasure still comes to its end, as it was.
                Command::Erase { .. }
                | Command::ConfirmSent { .. }
                | Command::Suppress { .. }
                | Command::Park { .. }
                | Command::Discard { .. } => {}
                _ => return Err(Refusal::Erased),
            }
        }
        let mut raised = Raised { account: self, events: Vec::new() };
        let (mut wake, mut findings) = (None, Vec::new());
        match command {
            Command::Record { fact, stamp, at, account, rules } => {
                record(&mut raised, fact, stamp, *at, account, rules)?;
            }
            Command::Decide { rules, now, seed } => {
                (wake, findings) = decide(&mut raised, rules, *now, seed);
                let again = review_delivery(&mut raised, rules, day_in(*now, &rules.creditor.zone));
                wake = [wake, again].into_iter().flatten().min();
            }
            Command::ConfirmSent { notice, at, rules } => {
                confirm_sent(&mut raised, notice, *at, rules)?;
            }
            Command::Leave { .. } => {}
            Command::Suppress { notice, reason } => {
                if raised.pending(notice)? {
                    let (notice, reason) = (notice.clone(), *reason);
                    raised.raise(AccountEvent::NoticeSuppressed { notice, reason });
                }
            }
            Command::Park { notice, outcome_unknown } => {
                if raised.pending(notice)? {
                    raised.raise(AccountEvent::NoticeParked {
                        notice: notice.clone(),
                        outcome_unknown: *outcome_unknown,
                    });
                }
            }
            Command::Discard { notice, by } => {
                let entry = raised.account.notices.get(notice);
                let state = entry.ok_or(Refusal::UnknownNotice(notice.clone()))?.state;
                if !matches!(state, NoticeState::Parked | NoticeState::Unknown) {
                    return Err(Refusal::NotParked(notice.clone()));
                }
                let (notice, by) = (notice.clone(), by.clone());
                raised.raise(AccountEvent::NoticeDiscarded { notice, by });
            }
            Command::Admit { invoice, by } => {
                let claim = raised.account.claims.get(invoice);
                let claim = claim.ok_or(Refusal::UnknownClaim(invoice.clone()))?;
                // A claim may wait for both; who lets it in was shown what it waits for.
                let minor = claim.made_by_minor(raised.account.profile()).is_some();
                let old = !claim.admitted && (claim.held_back || !minor);
                let (invoice, by) = (invoice.clone(), by.clone());
                if minor {
                    let (invoice, by) = (invoice.clone(), by.clone());
                    raised.raise(AccountEvent::ContractApproved { invoice, by });
                }
                if old {
                    raised.raise(AccountEvent::ClaimAdmitted { invoice, by });
                }
            }
            Command::SetOverride { set, rules } => overrule::set(&mut raised, set, rules)?,
            Command::LiftOverride { id, by, now, rules } => {
                let on = day_in(*now, &rules.creditor.zone);
                overrule::lift(&mut raised, id, by, rules, on)?;
            }
            Command::Promise { promise, until, now, rules, by_person } => {
                arrangement::promise(&mut raised, promise, *until, *now, rules, *by_person)?;
                follow_up(&mut raised, rules, day_in(*now, &rules.creditor.zone));
            }
            Command::AgreePlan { plan, currency, rates, now, rules, by_person } => {
                arrangement::agree(&mut raised, plan, *currency, rates, *now, rules, *by_person)?;
                follow_up(&mut raised, rules, day_in(*now, &rules.creditor.zone));
            }
            Command::ReleasePlacement { placement, by, now, rules } => {
                release(&mut raised, placement, by, *now, rules)?;
            }
            Command::Erase { at } => {
                if raised.account.erased_at.is_none() {
                    raised.raise(AccountEvent::AccountErased { at: *at });
                    // What becomes of messages that were decided says whoever has them: one may
                    // be leaving at this moment. None begins to leave from now on.
                    recall(&mut raised, |_, _| Some(Suppression::Erased));
                }
            }
        }
        let events = raised.events;
        Ok(Executed { events, wake, findings })
    }
}

impl Raised<'_> {
    /// Whether the notice waits to be sent; an unknown one is refused.
    fn pending(&self, notice: &NoticeId) -> Result<bool, Refusal> {
        let entry = self.account.notices.get(notice);
        let entry = entry.ok_or(Refusal::UnknownNotice(notice.clone()))?;
        Ok(entry.state == NoticeState::Decided)
    }
}

/// Does what is due, one thing after the other, until there is nothing more: when to look
/// again, and what the last look found.
fn decide(
    raised: &mut Raised<'_>,
    rules: &Rules,
    now: Timestamp,
    seed: &str,
) -> (Option<Timestamp>, Vec<Finding>) {
    if raised.account.claims.is_empty() {
        return (None, Vec::new());
    }
    let today = day_in(now, &rules.creditor.zone);
    let review_again = bring_up_to(raised, rules, now, today);
    let mut number = 0u32;
    loop {
        let Ok(fresh) = NoticeId::new(&format!("N-{seed}-{number}")) else {
            return (None, Vec::new());
        };
        let decision = next_step_on(raised.account, rules, now, today, &fresh);
        hold_back(raised, &decision);
        match decision.action {
            Action::Wait => {
                list_untold(raised, &decision.findings, today);
                let wake = [decision.wake, review_again].into_iter().flatten().min();
                return (wake, decision.findings);
            }
            Action::Notify(decided) => {
                raised.raise(AccountEvent::NoticeDecided(decided));
                if raised.account.claims.values().all(|claim| claim.pending.is_some()) {
                    list_untold(raised, &decision.findings, today);
                    return (review_again, decision.findings); // each waits for word of its message, and for nothing else
                }
            }
            Action::Pass(step) => raised.raise(step.happens(now)),
            Action::HandOff(draft) => {
                let Ok(placement) = PlacementId::new(&format!("P-{seed}-{number}")) else {
                    return (None, decision.findings);
                };
                let unheard = raised.account.unanswered_plea().is_some();
                let automatic = draft.release == Release::Automatic && draft.missing.is_empty();
                let automatic = automatic && !unheard;
                raised.raise(AccountEvent::HandoffDue {
                    placement: placement.clone(),
                    agency: draft.agency,
                    claims: draft.claims,
                    step: draft.step,
                    release: draft.release,
                    policy: draft.policy,
                    missing: draft.missing,
                });
                if automatic {
                    go_out(raised, &placement, "policy", now, today);
                }
            }
        }
        number += 1;
    }
}

/// What comes before any step is decided: policies are met, what time alone has ended is over. When
/// to look at that again.
fn bring_up_to(
    raised: &mut Raised<'_>,
    rules: &Rules,
    now: Timestamp,
    today: Date,
) -> Option<Timestamp> {
    for currency in raised.account.currencies() {
        let Some(policy) = rules.policy(currency) else { continue };
        let met = raised.account.met.get(&policy.reference.name);
        if met.is_none_or(|(_, latest)| *latest != policy.reference) {
            let (arms, policy) = (policy.arms.clone(), policy.reference.clone());
            raised.raise(AccountEvent::PolicyMet { policy, at: now, arms });
        }
    }
    let mut review_again = review(raised, rules, now, today);
    // While something else stops the account, dunning does not go on yet.
    if let Some(unanswered) = raised.account.plea_ran_out(today)
        && !blocked(raised.account, &rules.creditor.zone, today)
    {
        raised.raise(unanswered);
    }
    let so_far = raised.events.len();
    withdraw_unmeant(raised, rules, now);
    if raised.events.len() > so_far {
        review_again = review(raised, rules, now, today); // a small rest of what is ours again is waived
    }
    refresh_handoffs(raised, rules);
    complete_automatic(raised, rules, today, now);
    let overrides_end = raised.account.override_ends(today);
    let overrides_end = overrides_end.map(|day| start_of(day, &rules.creditor.zone));
    let looks = [review_again, review_delivery(raised, rules, today), overrides_end];
    looks.into_iter().flatten().min()
}

/// The account as a decision at `now` would find it, and when what is beside steps has to be
/// looked at again.
pub(crate) fn as_found(
    account: &Account,
    rules: &Rules,
    now: Timestamp,
) -> (Account, Option<Timestamp>) {
    let mut found = account.clone();
    if found.erased_at.is_some() || found.claims.is_empty() {
        return (found, None);
    }
    let mut raised = Raised { account: &mut found, events: Vec::new() };
    let again = bring_up_to(&mut raised, rules, now, day_in(now, &rules.creditor.zone));
    (found, again)
}

/// More than there are arrangements of which one ends by what followed from another.
const ROUNDS: usize = 6;

/// What the passing of days changes beside steps: arrangements end, terms of interest and base
/// rates begin, small rests are waived. The next moment to look at arrangements again.
fn review(
    raised: &mut Raised<'_>,
    rules: &Rules,
    now: Timestamp,
    today: Date,
) -> Option<Timestamp> {
    let interest = rules.policies.values().any(|one| one.interest.claimed != InterestClaimed::None);
    let mut again = None;
    // What follows from the end of an arrangement, or was waived, may end another one.
    for _ in 0..ROUNDS {
        let so_far = raised.events.len();
        again = arrangement::review(raised, rules, today);
        if interest || !raised.account.interest.is_empty() {
            follow_up(raised, rules, today);
        }
        if waive_rests(raised, rules, now) {
            follow_up(raised, rules, today);
        }
        if raised.events.len() == so_far {
            break;
        }
    }
    let rates = look_for_rates(raised.account, rules, now, today);
    let barred = watch_limitation(raised, rules, today);
    [again, rates, barred].into_iter().flatten().min()
}

/// Tells people of claims that are barred soon; when to look again.
fn watch_limitation(raised: &mut Raised<'_>, rules: &Rules, today: Date) -> Option<Timestamp> {
    let (seat, mut next) = (rules.creditor.seat(), None::<Date>);
    let mut told = Vec::new();
    let open = |claim: &Claim| claim.invoice.is_some() && claim.settled_on.is_none();
    for currency in raised.account.currencies() {
        let mut book = None;
        let claims = raised.account.claims.iter();
        for (invoice, claim) in claims.filter(|(_, one)| one.currency() == Some(currency)) {
            if !open(claim) && claim.barred_after.is_none() {
                continue;
            }
            let book = book.get_or_insert_with(|| Book::of(raised.account, currency));
            let (near, look) = match watch(raised.account, (invoice, claim), book, seat, today) {
                Watch::Later(day) => (None, Some(day)),
                Watch::Near(day) => (Some(day), day.tomorrow().ok()),
                Watch::Barred(day) => (Some(day), None),
                Watch::NoEnd => (None, None),
            };
            let near = near.filter(|_| open(claim));
            if near != claim.barred_after {
                let invoice = invoice.clone();
                told.push(AccountEvent::LimitationNear { invoice, act_by: near });
            }
            next = [next, look.filter(|_| open(claim))].into_iter().flatten().min();
        }
    }
    for event in told {
        raised.raise(event);
    }
    next.map(|day| start_of(day, &rules.creditor.zone))
}

/// Puts claims that were old when they were met on the list of what waits for a person.
fn hold_back(raised: &mut Raised<'_>, decision: &Decision) {
    let old = decision.findings.iter().filter(|found| found.waits == Some(WaitReason::OldClaim));
    for invoice in old.filter_map(|found| found.invoice.clone()) {
        if raised.account.claims.get(&invoice).is_some_and(|claim| !claim.held_back) {
            raised.raise(AccountEvent::ClaimHeldBack { invoice });
        }
    }
}

fn confirm_sent(
    raised: &mut Raised<'_>,
    notice: &NoticeId,
    at: Timestamp,
    rules: &Rules,
) -> Result<(), Refusal> {
    let entry = raised.account.notices.get(notice);
    let entry = entry.ok_or(Refusal::UnknownNotice(notice.clone()))?;
    // A person may learn that a message of unknown outcome did arrive.
    if !matches!(entry.state, NoticeState::Decided | NoticeState::Unknown) {
        return Ok(());
    }
    took_place(raised, notice, at, rules);
    if raised.account.erased_at.is_none() {
        follow_up(raised, rules, day_in(at, &rules.creditor.zone));
    }
    Ok(())
}

/// The gateway took the message at `at`: its steps happened, default and fee follow.
fn took_place(raised: &mut Raised<'_>, notice: &NoticeId, at: Timestamp, rules: &Rules) {
    let account = &*raised.account;
    let Some(decided) = account.notices.get(notice).map(|entry| &entry.decided) else { return };
    let (seat, debtor) = (rules.creditor.seat(), account.profile());
    let on = day_in(at, &rules.creditor.zone);
    let deadline = decided.deadline.map(|span| law::deadline(span, on, seat, debtor));
    let starts_default = decided.claims.iter().filter(|part| part.starts_default);
    let begins: Vec<AccountEvent> = starts_default
        .map(|part| AccountEvent::DefaultBegins {
            invoice: part.invoice.clone(),
            notice: notice.clone(),
            from: law::default_by_notice(on, decided.channel, deadline, seat, debtor),
        })
        .collect();
    let fee = decided.fee.clone().map(|(invoice, amount)| (FeeKind::Reminder, invoice, amount));
    let lump_sums = decided.lump_sums.iter().cloned();
    let lump_sums = lump_sums.map(|(invoice, amount)| (FeeKind::LumpSum, invoice, amount));
    let fees: Vec<(FeeKind, InvoiceId, Decimal)> = fee.into_iter().chain(lump_sums).collect();
    raised.raise(AccountEvent::NoticeSent { notice: notice.clone(), at, deadline });
    if raised.account.erased_at.is_some() {
        return; // nobody is asked for what would follow
    }
    for event in begins {
        raised.raise(event);
    }
    for (kind, invoice, amount) in fees {
        let notice = notice.clone();
        raised.raise(AccountEvent::FeeCharged { invoice, kind, notice, on, amount });
    }
}
