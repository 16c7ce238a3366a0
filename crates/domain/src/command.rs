//! Commands: what can be asked of an account, and the rules by which it becomes events.
//!
//! [`Account::execute`] checks first and records then: a refusal leaves the account untouched. The
//! second arrival of a fact records nothing.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use thiserror::Error;

use crate::{
    account::*,
    arrangement,
    book::Book,
    calendar::day_in,
    decision::{Action, Decision, WaitReason, missing_fields, next_step},
    event::*,
    fact::*,
    ids::*,
    law,
    money::{Currency, Decimal, Money, cut, decimals},
    policy::{Release, Rules},
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
    /// A person lets an old claim enter the ladder.
    Admit {
        /// Claim.
        invoice: InvoiceId,
        /// Who.
        by: String,
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
}

impl Account {
    /// Executes a command.
    pub fn execute(&mut self, command: &Command) -> Result<Executed, Refusal> {
        if self.erased_at.is_some() && !matches!(command, Command::Erase { .. }) {
            return match command {
                // What was decided before the erasure still has to come to its end.
                Command::Decide { .. } | Command::Suppress { .. } | Command::Park { .. } => {
                    Ok(Executed::default())
                }
                _ => Err(Refusal::Erased),
            };
        }
        let mut raised = Raised { account: self, events: Vec::new() };
        let mut wake = None;
        match command {
            Command::Record { fact, stamp, at, account, rules } => {
                record(&mut raised, fact, stamp, *at, account, rules)?;
            }
            Command::Decide { rules, now, seed } => wake = decide(&mut raised, rules, *now, seed),
            Command::ConfirmSent { notice, at, rules } => {
                confirm_sent(&mut raised, notice, *at, rules)?;
            }
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
                if !claim.admitted {
                    let (invoice, by) = (invoice.clone(), by.clone());
                    raised.raise(AccountEvent::ClaimAdmitted { invoice, by });
                }
            }
            Command::Promise { promise, until, now, rules, by_person } => {
                arrangement::promise(&mut raised, promise, *until, *now, rules, *by_person)?;
            }
            Command::AgreePlan { plan, currency, rates, now, rules, by_person } => {
                arrangement::agree(&mut raised, plan, *currency, rates, *now, rules, *by_person)?;
            }
            Command::ReleasePlacement { placement, by, now, rules } => {
                release(&mut raised, placement, by, *now, rules)?;
            }
            Command::Erase { at } => {
                if raised.account.erased_at.is_none() {
                    raised.raise(AccountEvent::AccountErased { at: *at });
                    recall(&mut raised, |_| Some(Suppression::Erased));
                    // Nothing that waits can be sent: the address is gone with the key.
                    let waiting = raised.account.notices.iter();
                    let waiting = waiting.filter(|(_, one)| one.state == NoticeState::Decided);
                    let waiting: Vec<NoticeId> = waiting.map(|(id, _)| id.clone()).collect();
                    for notice in waiting {
                        let reason = Suppression::Erased;
                        raised.raise(AccountEvent::NoticeSuppressed { notice, reason });
                    }
                }
            }
        }
        let events = raised.events;
        Ok(Executed { events, wake })
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

/// Does what is due, one thing after the other, until there is nothing more.
fn decide(raised: &mut Raised<'_>, rules: &Rules, now: Timestamp, seed: &str) -> Option<Timestamp> {
    if raised.account.claims.is_empty() {
        return None;
    }
    for currency in raised.account.currencies() {
        let Some(policy) = rules.policy(currency) else { continue };
        let met = raised.account.met.get(&policy.reference.name);
        if met.is_none_or(|(_, latest)| *latest != policy.reference) {
            let policy = policy.reference.clone();
            raised.raise(AccountEvent::PolicyMet { policy, at: now });
        }
    }
    let review_again = arrangement::review(raised, rules, now);
    refresh_handoffs(raised, rules);
    complete_automatic(raised, day_in(now, &rules.creditor.zone), now);
    let mut number = 0u32;
    loop {
        let Ok(fresh) = NoticeId::new(&format!("N-{seed}-{number}")) else { return None };
        let decision = next_step(raised.account, rules, now, &fresh);
        hold_back(raised, &decision);
        match decision.action {
            Action::Wait => {
                return match (decision.wake, review_again) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            Action::Notify(decided) => raised.raise(AccountEvent::NoticeDecided(decided)),
            Action::HandOff(draft) => {
                let Ok(placement) = PlacementId::new(&format!("P-{seed}-{number}")) else {
                    return None;
                };
                let automatic = draft.release == Release::Automatic && draft.missing.is_empty();
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
                    go_out(raised, &placement, "policy", now);
                }
            }
        }
        number += 1;
    }
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
    follow_up(raised);
    Ok(())
}

/// The gateway took the message at `at`: its steps happened, default and fee follow.
fn took_place(raised: &mut Raised<'_>, notice: &NoticeId, at: Timestamp, rules: &Rules) {
    let Some(entry) = raised.account.notices.get(notice) else { return };
    let decided = entry.decided.clone();
    let creditor = &rules.creditor;
    let on = day_in(at, &creditor.zone);
    let debtor = raised.account.profile().cloned();
    let deadline = decided.deadline.map(|span| law::deadline(span, on, creditor, debtor.as_ref()));
    raised.raise(AccountEvent::NoticeSent { notice: notice.clone(), at, deadline });
    for part in decided.claims.iter().filter(|part| part.starts_default) {
        raised.raise(AccountEvent::DefaultBegins {
            invoice: part.invoice.clone(),
            notice: notice.clone(),
            from: law::default_by_notice(on, decided.channel, deadline, creditor, debtor.as_ref()),
        });
    }
    if let Some((invoice, amount)) = decided.fee {
        let notice = notice.clone();
        raised.raise(AccountEvent::FeeCharged { invoice, notice, on, amount });
    }
}

fn release(
    raised: &mut Raised<'_>,
    placement: &PlacementId,
    by: &str,
    now: Timestamp,
    rules: &Rules,
) -> Result<(), Refusal> {
    let due = raised.account.placements.get(placement);
    let due = due.filter(|entry| entry.state == PlacementState::Due);
    let due = due.ok_or(Refusal::NoSuchPlacement(placement.clone()))?;
    let missing = missing_fields(raised.account, &rules.creditor, &due.claims);
    if !missing.is_empty() {
        return Err(Refusal::Incomplete(missing));
    }
    if due.approved_by.contains(by) {
        return Err(Refusal::SamePerson(by.to_owned()));
    }
    if let Some(reason) = unfit(raised.account, due, day_in(now, &rules.creditor.zone)) {
        return Err(Refusal::Blocked(reason));
    }
    let first_of_two = due.release == Release::FourEyes && due.approved_by.is_empty();
    refresh_handoffs(raised, rules);
    if first_of_two {
        let (placement, by) = (placement.clone(), by.to_owned());
        raised.raise(AccountEvent::PlacementApproved { placement, by });
        return Ok(());
    }
    go_out(raised, placement, by, now);
    Ok(())
}

fn go_out(raised: &mut Raised<'_>, placement: &PlacementId, by: &str, at: Timestamp) {
    let Some(due) = raised.account.placements.get(placement) else { return };
    let mut amounts = Vec::new();
    for currency in raised.account.currencies() {
        let book = Book::of(raised.account, currency);
        let columns = due.claims.iter().filter_map(|invoice| book.claim(invoice));
        amounts.extend(columns.map(|c| (c.invoice.clone(), c.outstanding, c.fees)));
    }
    let (placement, by) = (placement.clone(), by.to_owned());
    raised.raise(AccountEvent::PlacementReleased { placement, by, at, amounts });
}

/// Why the claims of a placement must not go to, or stay with, an agency.
fn unfit(account: &Account, placement: &Placement, today: Date) -> Option<Suppression> {
    if account.insolvent_on.is_some() {
        return Some(Suppression::Insolvent);
    }
    if account.deceased_on.is_some() {
        return Some(Suppression::Deceased);
    }
    if account.hold_on(None, today).is_some() {
        return Some(Suppression::OnHold);
    }
    if account.promises.values().any(|promise| promise.standing == Standing::Open) {
        return Some(Suppression::Promised);
    }
    for invoice in &placement.claims {
        let claim = account.claims.get(invoice)?;
        if claim.settled_on.is_some() {
            return Some(Suppression::Paid);
        }
        if claim.disputed() {
            return Some(Suppression::Disputed);
        }
        if account.hold_on(Some(invoice), today).is_some() {
            return Some(Suppression::OnHold);
        }
        let mut plans = account.plans.values();
        if plans.any(|p| p.standing == Standing::Open && p.claims.contains(invoice)) {
            return Some(Suppression::Planned);
        }
        let book = claim.currency().map(|currency| Book::of(account, currency));
        if book.is_some_and(|b| b.claim(invoice).is_some_and(|c| b.unallocated >= c.open())) {
            return Some(Suppression::CreditCovers);
        }
    }
    None
}

/// Withdraws what is due and recalls what is out, where `why` gives a reason.
fn recall(raised: &mut Raised<'_>, why: impl Fn(&Placement) -> Option<Suppression>) {
    let found: Vec<(PlacementId, PlacementState, Suppression)> = raised
        .account
        .placements
        .iter()
        .filter_map(|(id, placement)| Some((id.clone(), placement.state, why(placement)?)))
        .collect();
    for (placement, state, reason) in found {
        match state {
            PlacementState::Due => {
                raised.raise(AccountEvent::HandoffWithdrawn { placement, reason });
            }
            PlacementState::Released => {
                raised.raise(AccountEvent::PlacementRecalled { placement, reason });
            }
            _ => {}
        }
    }
}

/// Fields that have come since make a placement complete.
fn refresh_handoffs(raised: &mut Raised<'_>, rules: &Rules) {
    let changed: Vec<(PlacementId, Vec<String>)> = raised
        .account
        .placements
        .iter()
        .filter(|(_, placement)| placement.state == PlacementState::Due)
        .filter_map(|(id, placement)| {
            let missing = missing_fields(raised.account, &rules.creditor, &placement.claims);
            (missing != placement.missing).then(|| (id.clone(), missing))
        })
        .collect();
    for (placement, missing) in changed {
        raised.raise(AccountEvent::HandoffFieldsChanged { placement, missing });
    }
}

/// Placements that need no person go out once nothing is missing any more.
fn complete_automatic(raised: &mut Raised<'_>, today: Date, now: Timestamp) {
    let complete = |placement: &Placement| {
        placement.state == PlacementState::Due
            && placement.release == Release::Automatic
            && placement.missing.is_empty()
            && unfit(raised.account, placement, today).is_none()
    };
    let placements = raised.account.placements.iter().filter(|(_, one)| complete(one));
    let ready: Vec<PlacementId> = placements.map(|(id, _)| id.clone()).collect();
    for placement in ready {
        go_out(raised, &placement, "policy", now);
    }
}

/// Records a fact and what follows from it for the books.
fn record(
    raised: &mut Raised<'_>,
    fact: &Fact,
    stamp: &Stamp,
    at: Timestamp,
    own: &AccountId,
    rules: &Rules,
) -> Result<(), Refusal> {
    let account = &*raised.account;
    check_currency(account, fact)?;
    check_decimals(account, fact)?;
    let zone = &rules.creditor.zone;
    let Some(event) = fact_event(account, fact, stamp, at, own, zone)? else { return Ok(()) };
    if let Fact::NoticeReceipt { notice, at, receipt: Receipt::Delivered, .. } = fact
        && let Some(entry) = account.notices.get(notice)
        && matches!(entry.state, NoticeState::Parked | NoticeState::Unknown)
    {
        took_place(raised, notice, *at, rules); // it did leave, says the gateway
    }
    let bounced = match &event {
        AccountEvent::NoticeReceipt { notice, receipt: Receipt::Bounced, .. } => {
            Some(notice.clone())
        }
        _ => None,
    };
    raised.raise(event);
    if let Some(notice) = bounced {
        reverse_fees(raised, |fee| (fee.notice == notice).then_some(FeeReversal::NotDelivered));
    }
    if let Fact::ReminderReported { notice, channel, at, invoices, starts_default: true, .. } = fact
    {
        let debtor = raised.account.profile().cloned();
        let creditor = &rules.creditor;
        let sent_on = day_in(*at, zone);
        let from = law::default_by_notice(sent_on, *channel, None, creditor, debtor.as_ref());
        for invoice in invoices {
            let (invoice, notice) = (invoice.clone(), notice.clone());
            raised.raise(AccountEvent::DefaultBegins { invoice, notice, from });
        }
    }
    if let Fact::PlacementReported { report, on, .. } = fact
        && let PlacementReport::PaymentReceived { payment, amount, .. } = report
        && raised.account.payments.get(payment).is_none_or(|known| known.received.is_none())
    {
        raised.raise(AccountEvent::PaymentReceived {
            payment: payment.clone(),
            booked_on: *on,
            amount: *amount,
            method: "agency".to_owned(),
            invoice: fact_invoice(fact),
        });
    }
    follow_up(raised);
    Ok(())
}

fn fact_invoice(fact: &Fact) -> Option<InvoiceId> {
    match fact {
        Fact::PlacementReported { invoice, .. } => invoice.clone(),
        _ => None,
    }
}

fn check_currency(account: &Account, fact: &Fact) -> Result<(), Refusal> {
    let Some(found) = fact.currency() else { return Ok(()) };
    let claim = match fact {
        Fact::InvoiceAdjusted { invoice, .. } | Fact::InvoiceCredited { invoice, .. } => {
            account.claims.get(invoice).and_then(|claim| claim.currency()).map(|c| (invoice, c))
        }
        _ => None,
    };
    if let Some((invoice, expected)) = claim.filter(|(_, expected)| *expected != found) {
        return Err(Refusal::OtherCurrency {
            invoice: invoice.clone(),
            expected: expected.code().to_owned(),
            found: found.code().to_owned(),
        });
    }
    if let Fact::PaymentRefunded { payment, .. } = fact
        && let Some(received) = account.payments.get(payment).and_then(|p| p.received.as_ref())
        && received.amount.currency != found
    {
        return Err(Refusal::OtherPaymentCurrency {
            payment: payment.clone(),
            expected: received.amount.currency.code().to_owned(),
            found: found.code().to_owned(),
        });
    }
    Ok(())
}

/// Facts that carry amounts without a currency: refused where the currency is known and has fewer
/// decimals. Where it is not known yet the books cut them, see [`cut`](crate::money::cut).
fn check_decimals(account: &Account, fact: &Fact) -> Result<(), Refusal> {
    let claim = |id: &InvoiceId| account.claims.get(id).and_then(|claim| claim.currency());
    let (currency, amounts) = match fact {
        Fact::Waived { invoice, amount, .. }
        | Fact::WrittenOff { invoice, amount, .. }
        | Fact::DisputeOpened { invoice, amount, .. }
        | Fact::DisputeResolved { invoice, amount, .. } => (claim(invoice), [*amount, None]),
        Fact::PaymentReturned { payment, amount, fee, .. } => {
            let received = account.payments.get(payment).and_then(|one| one.received.as_ref());
            (received.map(|received| received.amount.currency), [*amount, *fee])
        }
        _ => return Ok(()),
    };
    let Some(currency) = currency else { return Ok(()) };
    for amount in amounts.into_iter().flatten().filter(|amount| cut(*amount, currency) != *amount) {
        let allowed = decimals(currency).unwrap_or(2);
        let currency = currency.code().to_owned();
        return Err(Refusal::TooPrecise { amount, currency, allowed });
    }
    Ok(())
}

/// The event of a fact; `None` where the account has it already.
fn fact_event(
    account: &Account,
    fact: &Fact,
    stamp: &Stamp,
    at: Timestamp,
    own: &AccountId,
    zone: &TimeZone,
) -> Result<Option<AccountEvent>, Refusal> {
    use AccountEvent as E;
    let known = |kind, id: String, same: bool| match same {
        true => Ok(None),
        false => Err(Refusal::Contradicts { kind, id }),
    };
    let event = match fact.clone() {
        Fact::DebtorUpdated { profile } => E::DebtorUpdated { stamp: stamp.clone(), profile },
        Fact::InsolvencyOpened { on } => E::InsolvencyOpened { on },
        Fact::DebtorDeceased { on } => E::DebtorDeceased { on },
        Fact::HoldPlaced { hold, invoice, owner, until } => {
            let told = HoldPlaced { invoice, owner, until, on: day_in(stamp.at, zone) };
            if account.holds.get(&hold).is_some_and(|known| known.placed.as_ref() == Some(&told)) {
                return Ok(None);
            }
            let HoldPlaced { invoice, owner, until, on } = told;
            E::HoldPlaced { hold, invoice, owner, until, on }
        }
        Fact::HoldReleased { hold } => {
            if account.holds.get(&hold).is_some_and(|known| known.released) {
                return Ok(None);
            }
            E::HoldReleased { hold }
        }
        Fact::InvoiceIssued { invoice } => {
            let earlier = account.claims.get(&invoice.invoice).and_then(|c| c.invoice.as_ref());
            if let Some(earlier) = earlier {
                return known("invoice", invoice.invoice.to_string(), *earlier == invoice);
            }
            E::InvoiceIssued { invoice, recorded_at: at }
        }
        Fact::InvoiceAdjusted { invoice, on, amount } => {
            E::InvoiceAdjusted { invoice, stamp: stamp.clone(), on, amount }
        }
        Fact::InvoiceCredited { invoice, credit, on, amount } => {
            let claim = account.claims.get(&invoice);
            if let Some(earlier) = claim.and_then(|claim| claim.credits.get(&credit)) {
                return known("credit note", credit.to_string(), *earlier == (on, amount));
            }
            E::InvoiceCredited { invoice, credit, on, amount }
        }
        Fact::InvoiceCancelled { invoice, on } => E::InvoiceCancelled { invoice, on },
        Fact::InvoiceRescheduled { invoice, due_on } => {
            E::InvoiceRescheduled { invoice, stamp: stamp.clone(), due_on }
        }
        Fact::DefaultDeclared { invoice, from, ground } => {
            E::DefaultDeclared { invoice, from, ground }
        }
        Fact::Acknowledged { invoice, on } => E::Acknowledged { invoice, on },
        Fact::Suspended { invoice, from, to, ground } => E::Suspended { invoice, from, to, ground },
        Fact::Titled { invoice, on } => E::Titled { invoice, on },
        Fact::Waived { invoice, .. } | Fact::WrittenOff { invoice, .. }
            if account.claims.get(&invoice).is_some_and(|c| c.given_up.contains_key(stamp)) =>
        {
            return Ok(None);
        }
        Fact::Waived { invoice, on, amount, part } => {
            let stamp = stamp.clone();
            E::GivenUp { invoice, stamp, on, amount, part, written_off: false }
        }
        Fact::WrittenOff { invoice, on, amount, part } => {
            let stamp = stamp.clone();
            E::GivenUp { invoice, stamp, on, amount, part, written_off: true }
        }
        Fact::DisputeOpened { dispute, invoice, on, amount } => {
            let claim = account.claims.get(&invoice);
            let known = claim.and_then(|claim| claim.disputes.get(&dispute)?.opened);
            if known == Some((on, amount)) {
                return Ok(None);
            }
            E::DisputeOpened { dispute, invoice, on, amount }
        }
        Fact::DisputeResolved { dispute, invoice, on, outcome, amount } => {
            let claim = account.claims.get(&invoice);
            let known = claim.and_then(|claim| claim.disputes.get(&dispute)?.resolved);
            if known == Some((on, outcome, amount)) {
                return Ok(None);
            }
            E::DisputeResolved { dispute, invoice, on, outcome, amount }
        }
        Fact::PaymentReceived { payment, booked_on, amount, method, invoice } => {
            let received = Received { booked_on, amount, method, invoice };
            if let Some(earlier) =
                account.payments.get(&payment).and_then(|known| known.received.as_ref())
            {
                return known("payment", payment.to_string(), *earlier == received);
            }
            let Received { booked_on, amount, method, invoice } = received;
            E::PaymentReceived { payment, booked_on, amount, method, invoice }
        }
        Fact::PaymentReturned { payment, on, amount, reason, fee } => {
            E::PaymentReturned { payment, on, amount, reason, fee }
        }
        Fact::PaymentRefunded { payment, on, amount } => E::PaymentRefunded { payment, on, amount },
        Fact::PaymentFailed { attempt, invoice, on, reason, .. } => {
            E::PaymentFailed { attempt, invoice, on, reason }
        }
        Fact::PaymentAssigned { payment, to, invoice } => {
            let to = (to != *own).then_some(to);
            E::PaymentAssigned { payment, stamp: stamp.clone(), to, invoice }
        }
        Fact::ReminderReported { notice, channel, at, invoices, counts_as, starts_default } => {
            if account.notices.contains_key(&notice) || account.reported.contains(&notice) {
                return Ok(None); // one of ours told back to us, or told twice
            }
            E::ReminderReported { notice, channel, at, invoices, counts_as, starts_default }
        }
        Fact::NoticeReceipt { notice, channel, at, receipt } => {
            E::NoticeReceipt { notice, channel, at, receipt }
        }
        Fact::PlacementReported { placement, on, report, .. } => {
            E::PlacementReported { placement, on, report }
        }
    };
    Ok(Some(event))
}

/// Brings allocations, fees and settlement in line with the facts; whatever differs is an event.
fn follow_up(raised: &mut Raised<'_>) {
    reverse_overtaken_fees(raised);
    for currency in raised.account.currencies() {
        let mut events = Vec::new();
        let book = Book::of(raised.account, currency);
        for (id, payment) in &raised.account.payments {
            let in_currency =
                payment.received.as_ref().is_some_and(|r| r.amount.currency == currency);
            let parts = book.used.get(id).cloned().unwrap_or_default();
            if !in_currency || parts == payment.allocated {
                continue;
            }
            let payment_id = id.clone();
            events.push(if payment.allocated.is_empty() {
                AccountEvent::PaymentAllocated { payment: payment_id, parts }
            } else {
                AccountEvent::Reallocated { payment: payment_id, parts }
            });
        }
        for column in &book.claims {
            let invoice = column.invoice.clone();
            match (column.settled_on(), column.claim.settled_on) {
                (Some(on), known) if known != Some(on) => {
                    events.push(AccountEvent::ClaimSettled { invoice, on });
                }
                (None, Some(_)) => events.push(AccountEvent::ClaimReopened { invoice }),
                _ => {}
            }
        }
        drop(book);
        for event in events {
            raised.raise(event);
        }
    }
    let settled = |account: &Account, placement: &Placement| {
        let mut settled = placement.claims.iter().map(|invoice| {
            account.claims.get(invoice).is_none_or(|claim| claim.settled_on.is_some())
        });
        let over = match placement.state {
            // The claims that are still open become due again, without the paid one.
            PlacementState::Due => settled.any(|settled| settled),
            _ => settled.all(|settled| settled),
        };
        over.then_some(Suppression::Paid)
    };
    let account = raised.account.clone_if_placed();
    if let Some(account) = account {
        recall(raised, |placement| {
            settled(&account, placement).or_else(|| withdrawn_by_fact(&account, placement))
        });
    }
}

/// A dispute, insolvency or death takes a waiting placement off the list, and one that is out back.
fn withdrawn_by_fact(account: &Account, placement: &Placement) -> Option<Suppression> {
    if account.insolvent_on.is_some() {
        return Some(Suppression::Insolvent);
    }
    if account.deceased_on.is_some() {
        return Some(Suppression::Deceased);
    }
    let disputed = |invoice: &InvoiceId| account.claims.get(invoice).is_some_and(|c| c.disputed());
    placement.claims.iter().any(disputed).then_some(Suppression::Disputed)
}

/// A fee charged after the day on which the claim was in truth paid, or on a cancelled claim, is
/// not owed.
fn reverse_overtaken_fees(raised: &mut Raised<'_>) {
    if raised.account.claims.values().all(|claim| claim.fees.is_empty()) {
        return;
    }
    // Reversing one fee can free money that settles another claim earlier: until nothing changes.
    loop {
        let mut overtaken = Vec::new();
        for currency in raised.account.currencies() {
            for column in &Book::of(raised.account, currency).claims {
                let Some(settled) = column.principal_settled_on else { continue };
                let cancelled = column.claim.cancelled_on.is_some();
                let late =
                    |fee: &&crate::claim::Fee| !fee.reversed && (cancelled || fee.on > settled);
                let reason = match cancelled {
                    true => FeeReversal::Cancelled,
                    false => FeeReversal::PaidBefore,
                };
                for fee in column.claim.fees.iter().filter(late) {
                    overtaken.push((column.invoice.clone(), fee.notice.clone(), reason));
                }
            }
        }
        if overtaken.is_empty() {
            return;
        }
        for (invoice, notice, reason) in overtaken {
            raised.raise(AccountEvent::FeeReversed { invoice, notice, reason });
        }
    }
}

fn reverse_fees(raised: &mut Raised<'_>, why: impl Fn(&crate::claim::Fee) -> Option<FeeReversal>) {
    let mut found = Vec::new();
    for (invoice, claim) in &raised.account.claims {
        for fee in claim.fees.iter().filter(|fee| !fee.reversed) {
            if let Some(reason) = why(fee) {
                found.push((invoice.clone(), fee.notice.clone(), reason));
            }
        }
    }
    for (invoice, notice, reason) in found {
        raised.raise(AccountEvent::FeeReversed { invoice, notice, reason });
    }
}

impl Account {
    /// A copy to look at while events are raised; `None`, and no cost, without placements.
    fn clone_if_placed(&self) -> Option<Self> {
        (!self.placements.is_empty()).then(|| self.clone())
    }
}

/// Zero in any currency is nothing owed.
pub(crate) fn owed(book: &Book<'_>) -> Option<Decimal> {
    let open = book.open();
    (open > Decimal::ZERO).then_some(open)
}
