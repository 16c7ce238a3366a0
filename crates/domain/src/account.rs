//! Debitorenkonto: one debtor at one creditor, with all claims between them; the aggregate.
//!
//! State is the facts as told and what we decided. [`Account::apply`] copies fields and never
//! refuses; all rules are in [`command`](crate::command) and [`decision`](crate::decision).
//! What is owed is not state: the [`Book`](crate::book::Book) computes it from the facts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    claim::{Claim, Dispute, Fee, GivenUp, LimitationFact, StepTaken},
    event::*,
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money, cut},
    policy::{PolicyRef, Release},
};

/// How many contacts are remembered: more than any legal cap counts.
const CONTACTS_KEPT: usize = 32;

/// One account. `Default` is an account of which nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Latest master data by stamp.
    pub debtor: Option<(Stamp, DebtorProfile)>,
    /// Insolvency opened on.
    pub insolvent_on: Option<Date>,
    /// Died on.
    pub deceased_on: Option<Date>,
    /// Key destroyed at.
    pub erased_at: Option<Timestamp>,
    /// Holds, ended ones included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<HoldId, Hold>,
    /// Claims.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<InvoiceId, Claim>,
    /// Payments.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payments: BTreeMap<PaymentId, Payment>,
    /// Messages of ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notices: BTreeMap<NoticeId, Notice>,
    /// Messages of other senders that are counted already.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reported: BTreeSet<NoticeId>,
    /// When the debtor was last contacted by anybody, in time; the latest only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Timestamp>,
    /// Channels whose address bounced, or that the debtor stopped, since the last master data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dead_channels: BTreeMap<Channel, ChannelGap>,
    /// Promises.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub promises: BTreeMap<PromiseId, Promise>,
    /// Plans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<PlanId, Plan>,
    /// Placements, asked for or released.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placements: BTreeMap<PlacementId, Placement>,
    /// Policies that looked at it, with the first moment of each name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub met: BTreeMap<PolicyName, (Timestamp, PolicyRef)>,
    /// What the last [`Command::Decide`](crate::Command) said of the next one; not part of the
    /// state.
    #[serde(skip)]
    pub wake: Option<Timestamp>,
}

/// Mahnsperre.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Beginning, once known.
    pub placed: Option<HoldPlaced>,
    /// Ended.
    pub released: bool,
}

impl HoldPlaced {
    /// Of several beginnings told of one hold the greatest counts: the latest, then the longest.
    fn rank(&self) -> (Date, bool, Option<Date>, &Option<InvoiceId>, &str) {
        (self.on, self.until.is_none(), self.until, &self.invoice, &self.owner)
    }
}

/// Keeps the earlier of two days, so that it does not matter which one was told first.
fn earliest(day: &mut Option<Date>, told: Date) {
    *day = Some(day.map_or(told, |known| known.min(told)));
}

/// The beginning of a hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldPlaced {
    /// `None`: the whole account.
    pub invoice: Option<InvoiceId>,
    /// Who looks after it.
    pub owner: String,
    /// Last day.
    pub until: Option<Date>,
    /// Day of placing.
    pub on: Date,
}

/// A payment with what became of it, in either order of arrival.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// The money, once it came.
    pub received: Option<Received>,
    /// Day, amount (`None`: all), the bank's fee.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<(Date, Option<Decimal>, Option<Decimal>)>,
    /// Day and amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunded: Vec<(Date, Money)>,
    /// Orders several assignments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<Stamp>,
    /// Belongs to another account since.
    pub assigned_to: Option<AccountId>,
    /// Claim that a person assigned it to.
    pub assigned_claim: Option<InvoiceId>,
    /// How it is used, by the latest allocation event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocated: Vec<Allocation>,
}

/// The money of a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Booking day.
    pub booked_on: Date,
    /// Gross.
    pub amount: Money,
    /// Transfer, card …
    pub method: String,
    /// The debtor's designation.
    pub invoice: Option<InvoiceId>,
}

impl Payment {
    /// Booking day and what is left of it after returns and refunds; `None` where it is not
    /// there, in another currency, gone elsewhere, or nothing is left.
    pub fn net(&self, currency: Currency) -> Option<(Date, Decimal)> {
        self.net_on(currency, Date::MAX)
    }

    /// [`net`](Self::net) as if nothing had gone back after `day`.
    pub(crate) fn net_on(&self, currency: Currency, day: Date) -> Option<(Date, Decimal)> {
        let received = self.received.as_ref()?;
        if received.amount.currency != currency || self.assigned_to.is_some() {
            return None;
        }
        let gross = received.amount.amount;
        let returned = self.returned.iter().filter(|(on, ..)| *on <= day);
        let returned: Decimal =
            returned.map(|(_, part, _)| part.map_or(gross, |part| cut(part, currency))).sum();
        let refunded: Decimal = self
            .refunded
            .iter()
            .filter(|(on, money)| money.currency == currency && *on <= day)
            .map(|(_, money)| money.amount)
            .sum();
        let net = gross - returned - refunded;
        (net > Decimal::ZERO).then_some((received.booked_on, net))
    }

    /// The claim that the debtor, or a person in their stead, meant.
    pub fn designation(&self) -> Option<&InvoiceId> {
        let told = self.received.as_ref().and_then(|received| received.invoice.as_ref());
        self.assigned_claim.as_ref().or(told)
    }

    /// Day and amount of what the bank charged for returns, in the payment's currency.
    pub fn return_fees(&self, currency: Currency) -> impl Iterator<Item = (Date, Decimal)> + '_ {
        let same = self.assigned_to.is_none()
            && self.received.as_ref().is_some_and(|r| r.amount.currency == currency);
        let returned = self.returned.iter().filter(move |_| same);
        returned.filter_map(move |(on, _, fee)| Some((*on, cut((*fee)?, currency))))
    }
}

/// A message of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// As decided.
    pub decided: NoticeDecided,
    /// Where it stands.
    pub state: NoticeState,
    /// When the gateway took it.
    pub sent_at: Option<Timestamp>,
    /// What the debtor was told to pay by.
    pub deadline: Option<Date>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// On its way to the gateway.
    Decided,
    /// Taken by the gateway.
    Sent,
    /// The gateway says that it arrived.
    Delivered,
    /// Came back.
    Bounced,
    /// Not sent since the account changed.
    Suppressed,
    /// Not delivered after the last try.
    Parked,
    /// Nobody knows whether it left.
    Unknown,
    /// A person decided that it was not sent.
    Discarded,
}

impl NoticeState {
    /// The word for the read side.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Suppressed => "suppressed",
            Self::Parked => "parked",
            Self::Unknown => "unknown",
            Self::Discarded => "discarded",
        }
    }
}

/// How an arrangement with the debtor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Runs.
    Open,
    /// Done as agreed.
    Kept,
    /// Not done.
    Broken,
}

/// Zahlungszusage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// Last day.
    pub until: Date,
    /// What was open then.
    pub open: Vec<Money>,
    /// Day of the promise.
    pub on: Date,
    /// How it stands.
    pub standing: Standing,
}

/// Ratenplan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Claims in it.
    pub claims: Vec<InvoiceId>,
    /// Currency.
    pub currency: Currency,
    /// Rates in order.
    pub rates: Vec<Rate>,
    /// Day of the agreement.
    pub on: Date,
    /// How it stands.
    pub standing: Standing,
}

/// Abgabe an Inkasso.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// To whom.
    pub agency: AgencyId,
    /// Claims.
    pub claims: Vec<InvoiceId>,
    /// Step that made it due.
    pub step: StepName,
    /// Policy that made it due.
    pub policy: PolicyRef,
    /// Who must agree.
    pub release: Release,
    /// Fields that are not there yet.
    pub missing: Vec<String>,
    /// Who agreed so far.
    pub approved_by: BTreeSet<String>,
    /// Where it stands.
    pub state: PlacementState,
    /// What went out, claim, principal, fees.
    pub amounts: Vec<(InvoiceId, Decimal, Decimal)>,
    /// The agency's last word.
    pub agency_state: Option<String>,
}

/// Where a placement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlacementState {
    /// Waits for persons, or for fields.
    Due,
    /// Out of the house.
    Released,
    /// Did not go out.
    Withdrawn,
    /// Called back.
    Recalled,
    /// The agency refused it.
    Rejected,
    /// The agency is done.
    Closed,
}

impl Account {
    /// Currencies of the issued claims and of the money that came, in the order of their codes.
    pub fn currencies(&self) -> Vec<Currency> {
        let claims = self.claims.values().filter_map(Claim::currency);
        let money = self.payments.values().filter_map(|p| Some(p.received.as_ref()?.amount));
        let mut all: Vec<Currency> = Vec::with_capacity(1);
        for currency in claims.chain(money.map(|money| money.currency)) {
            if !all.contains(&currency) {
                all.push(currency);
            }
        }
        all.sort_unstable_by_key(|currency| currency.code());
        all
    }

    /// What decisions may know of the debtor, once told.
    pub fn profile(&self) -> Option<&DebtorProfile> {
        self.debtor.as_ref().map(|(_, profile)| profile)
    }

    fn claim(&mut self, invoice: &InvoiceId) -> &mut Claim {
        if !self.claims.contains_key(invoice) {
            self.claims.insert(invoice.clone(), Claim::default());
        }
        self.claims.entry(invoice.clone()).or_default()
    }

    fn contacted(&mut self, at: Timestamp) {
        let place = self.contacts.partition_point(|earlier| *earlier <= at);
        self.contacts.insert(place, at);
        if self.contacts.len() > CONTACTS_KEPT {
            self.contacts.remove(0);
        }
    }

    fn lift_pending(&mut self, notice: &NoticeId) {
        for claim in self.claims.values_mut() {
            if claim.pending.as_ref() == Some(notice) {
                claim.pending = None;
            }
        }
    }

    /// Copies what an event says. Never refuses.
    pub fn apply_event(&mut self, event: &AccountEvent) {
        use AccountEvent as E;
        match event {
            E::DebtorUpdated { stamp, profile } => {
                if self.debtor.as_ref().is_none_or(|(latest, _)| latest < stamp) {
                    self.debtor = Some((stamp.clone(), profile.clone()));
                    self.dead_channels.retain(|_, gap| *gap == ChannelGap::NoConsent);
                }
            }
            E::InsolvencyOpened { on } => earliest(&mut self.insolvent_on, *on),
            E::DebtorDeceased { on } => earliest(&mut self.deceased_on, *on),
            E::HoldPlaced { hold, invoice, owner, until, on } => {
                let told = HoldPlaced {
                    invoice: invoice.clone(),
                    owner: owner.clone(),
                    until: *until,
                    on: *on,
                };
                let placed = &mut self.holds.entry(hold.clone()).or_default().placed;
                if placed.as_ref().is_none_or(|known| known.rank() < told.rank()) {
                    *placed = Some(told);
                }
            }
            E::HoldReleased { hold } => {
                self.holds.entry(hold.clone()).or_default().released = true;
            }
            E::AccountErased { at } => self.erased_at = Some(*at),
            E::PolicyMet { policy, at } => {
                self.met
                    .entry(policy.name.clone())
                    .and_modify(|(_, latest)| *latest = policy.clone())
                    .or_insert_with(|| (*at, policy.clone()));
            }
            E::InvoiceIssued { .. }
            | E::InvoiceAdjusted { .. }
            | E::InvoiceCredited { .. }
            | E::InvoiceCancelled { .. }
            | E::InvoiceRescheduled { .. }
            | E::DefaultDeclared { .. }
            | E::Acknowledged { .. }
            | E::Suspended { .. }
            | E::Titled { .. }
            | E::GivenUp { .. }
            | E::DisputeOpened { .. }
            | E::DisputeResolved { .. }
            | E::ClaimSettled { .. }
            | E::ClaimReopened { .. }
            | E::DefaultBegins { .. }
            | E::FeeCharged { .. }
            | E::FeeReversed { .. }
            | E::ClaimHeldBack { .. }
            | E::ClaimAdmitted { .. } => self.apply_claim(event),
            E::PaymentReceived { .. }
            | E::PaymentReturned { .. }
            | E::PaymentRefunded { .. }
            | E::PaymentAssigned { .. }
            | E::PaymentAllocated { .. }
            | E::Reallocated { .. }
            | E::PaymentFailed { .. } => self.apply_payment(event),
            E::NoticeDecided(_)
            | E::NoticeSent { .. }
            | E::NoticeSuppressed { .. }
            | E::NoticeParked { .. }
            | E::NoticeDiscarded { .. }
            | E::NoticeReceipt { .. }
            | E::ReminderReported { .. } => self.apply_notice(event),
            E::PromiseMade { .. }
            | E::PromiseKept { .. }
            | E::PromiseBroken { .. }
            | E::PlanAgreed { .. }
            | E::PlanCompleted { .. }
            | E::PlanBroken { .. } => self.apply_arrangement(event),
            E::HandoffDue { .. }
            | E::HandoffFieldsChanged { .. }
            | E::PlacementApproved { .. }
            | E::PlacementReleased { .. }
            | E::HandoffWithdrawn { .. }
            | E::PlacementRecalled { .. }
            | E::PlacementReported { .. } => self.apply_placement(event),
        }
    }

    fn apply_claim(&mut self, event: &AccountEvent) {
        use AccountEvent as E;
        match event {
            E::InvoiceIssued { invoice, recorded_at } => {
                let claim = self.claim(&invoice.invoice);
                claim.invoice = Some(invoice.clone());
                claim.recorded_at = Some(*recorded_at);
            }
            E::InvoiceAdjusted { invoice, stamp, on, amount } => {
                let claim = self.claim(invoice);
                if claim.adjusted.as_ref().is_none_or(|(latest, ..)| latest < stamp) {
                    claim.adjusted = Some((stamp.clone(), *on, *amount));
                }
            }
            E::InvoiceCredited { invoice, credit, on, amount } => {
                self.claim(invoice).credits.insert(credit.clone(), (*on, *amount));
            }
            E::InvoiceCancelled { invoice, on } => {
                earliest(&mut self.claim(invoice).cancelled_on, *on);
            }
            E::InvoiceRescheduled { invoice, stamp, due_on } => {
                let claim = self.claim(invoice);
                if claim.rescheduled.as_ref().is_none_or(|(latest, _)| latest < stamp) {
                    claim.rescheduled = Some((stamp.clone(), *due_on));
                    claim.held_back = false; // by the new day it may be old no more
                }
            }
            E::DefaultDeclared { invoice, from, .. } => {
                earliest(&mut self.claim(invoice).default_declared, *from);
            }
            E::Acknowledged { invoice, on } => {
                self.claim(invoice).bears(LimitationFact::Acknowledged(*on));
            }
            E::Suspended { invoice, from, to, .. } => {
                self.claim(invoice).bears(LimitationFact::Suspended(*from, *to));
            }
            E::Titled { invoice, on } => {
                self.claim(invoice).bears(LimitationFact::Titled(*on));
            }
            E::GivenUp { invoice, stamp, on, amount, part, written_off } => {
                let given =
                    GivenUp { on: *on, amount: *amount, part: *part, written_off: *written_off };
                self.claim(invoice).given_up.insert(stamp.clone(), given);
            }
            E::DisputeOpened { dispute, invoice, on, amount } => {
                let entry: &mut Dispute =
                    self.claim(invoice).disputes.entry(dispute.clone()).or_default();
                // Of several the latest counts, then the larger; all of it is the largest.
                let rank = |(on, amount): (Date, Option<Decimal>)| (on, amount.is_none(), amount);
                let told = (*on, *amount);
                if entry.opened.is_none_or(|known| rank(known) < rank(told)) {
                    entry.opened = Some(told);
                }
            }
            E::DisputeResolved { dispute, invoice, on, outcome, amount } => {
                let entry: &mut Dispute =
                    self.claim(invoice).disputes.entry(dispute.clone()).or_default();
                let told = (*on, *outcome, *amount);
                if entry.resolved.is_none_or(|known| known < told) {
                    entry.resolved = Some(told);
                }
            }
            E::ClaimSettled { invoice, on } => self.claim(invoice).settled_on = Some(*on),
            E::ClaimReopened { invoice } => self.claim(invoice).settled_on = None,
            E::DefaultBegins { invoice, notice, from } => {
                let claim = self.claim(invoice);
                claim.defaults.insert(notice.clone(), *from);
                claim.pick_default();
            }
            E::FeeCharged { invoice, notice, on, amount } => self.claim(invoice).fees.push(Fee {
                notice: notice.clone(),
                on: *on,
                amount: *amount,
                reversed: false,
            }),
            E::FeeReversed { invoice, notice, .. } => {
                for fee in &mut self.claim(invoice).fees {
                    fee.reversed |= fee.notice == *notice;
                }
            }
            E::ClaimHeldBack { invoice } => self.claim(invoice).held_back = true,
            E::ClaimAdmitted { invoice, .. } => {
                let claim = self.claim(invoice);
                (claim.admitted, claim.held_back) = (true, false);
            }
            _ => {}
        }
    }

    fn apply_payment(&mut self, event: &AccountEvent) {
        use AccountEvent as E;
        match event {
            E::PaymentReceived { payment, booked_on, amount, method, invoice } => {
                self.payments.entry(payment.clone()).or_default().received = Some(Received {
                    booked_on: *booked_on,
                    amount: *amount,
                    method: method.clone(),
                    invoice: invoice.clone(),
                });
            }
            E::PaymentReturned { payment, on, amount, fee, .. } => {
                let entry = self.payments.entry(payment.clone()).or_default();
                entry.returned.push((*on, *amount, *fee));
                entry.returned.sort_unstable();
            }
            E::PaymentRefunded { payment, on, amount } => {
                let refunded = &mut self.payments.entry(payment.clone()).or_default().refunded;
                refunded.push((*on, *amount));
                refunded.sort_by_key(|(on, money)| (*on, money.currency.code(), money.amount));
            }
            E::PaymentAssigned { payment, stamp, to, invoice } => {
                let entry = self.payments.entry(payment.clone()).or_default();
                if entry.assigned.as_ref().is_none_or(|latest| latest < stamp) {
                    entry.assigned = Some(stamp.clone());
                    entry.assigned_to = to.clone();
                    entry.assigned_claim = invoice.clone();
                }
            }
            E::PaymentAllocated { payment, parts } | E::Reallocated { payment, parts } => {
                self.payments.entry(payment.clone()).or_default().allocated = parts.clone();
            }
            _ => {}
        }
    }

    fn apply_notice(&mut self, event: &AccountEvent) {
        use AccountEvent as E;
        match event {
            E::NoticeDecided(decided) => {
                for part in &decided.claims {
                    self.claim(&part.invoice).pending = Some(decided.notice.clone());
                }
                let notice = Notice {
                    decided: (**decided).clone(),
                    state: NoticeState::Decided,
                    sent_at: None,
                    deadline: None,
                };
                self.notices.insert(decided.notice.clone(), notice);
            }
            E::NoticeSent { notice, at, deadline } => {
                self.lift_pending(notice);
                self.contacted(*at);
                let Some(entry) = self.notices.get_mut(notice) else { return };
                entry.state = NoticeState::Sent;
                entry.sent_at = Some(*at);
                entry.deadline = *deadline;
                let decided = entry.decided.clone();
                for part in decided.claims {
                    self.claim(&part.invoice).step_up(StepTaken {
                        step: part.step,
                        notice: notice.clone(),
                        at: *at,
                        deadline: *deadline,
                    });
                }
            }
            E::NoticeSuppressed { notice, .. } => {
                self.lift_pending(notice);
                self.set_notice(notice, NoticeState::Suppressed);
            }
            E::NoticeParked { notice, outcome_unknown } => {
                let state =
                    if *outcome_unknown { NoticeState::Unknown } else { NoticeState::Parked };
                self.set_notice(notice, state);
            }
            E::NoticeDiscarded { notice, .. } => {
                self.lift_pending(notice);
                self.set_notice(notice, NoticeState::Discarded);
            }
            E::NoticeReceipt { notice, channel, receipt, .. } => match receipt {
                Receipt::Delivered => {
                    if let Some(entry) = self.notices.get_mut(notice)
                        && entry.state == NoticeState::Sent
                    {
                        entry.state = NoticeState::Delivered;
                    }
                }
                Receipt::Failed | Receipt::Answered => {}
                Receipt::Stopped => {
                    self.dead_channels.insert(*channel, ChannelGap::NoConsent);
                }
                Receipt::Bounced => {
                    self.dead_channels.entry(*channel).or_insert(ChannelGap::Bounced);
                    if let Some(entry) = self.notices.get_mut(notice)
                        && !matches!(entry.state, NoticeState::Suppressed | NoticeState::Discarded)
                    {
                        entry.state = NoticeState::Bounced;
                    }
                    // It may come before the word that the gateway took the message.
                    self.lift_pending(notice);
                    for claim in self.claims.values_mut() {
                        claim.steps.retain(|step| step.notice != *notice);
                        if claim.defaults.remove(notice).is_some() {
                            claim.pick_default();
                        }
                    }
                }
            },
            E::ReminderReported { notice, at, invoices, counts_as, .. } => {
                self.contacted(*at);
                self.reported.insert(notice.clone());
                for invoice in invoices {
                    let Some(step) = counts_as else { continue };
                    self.claim(invoice).step_up(StepTaken {
                        step: step.clone(),
                        notice: notice.clone(),
                        at: *at,
                        deadline: None,
                    });
                }
            }
            _ => {}
        }
    }

    fn set_notice(&mut self, notice: &NoticeId, state: NoticeState) {
        if let Some(entry) = self.notices.get_mut(notice) {
            entry.state = state;
        }
    }

    fn apply_arrangement(&mut self, event: &AccountEvent) {
        use AccountEvent as E;
        match event {
            E::PromiseMade { promise, until, open, on } => {
                let made = Promise {
                    until: *until,
                    open: open.clone(),
                    on: *on,
                    standing: Standing::Open,
                };
                self.promises.insert(promise.clone(), made);
            }
            E::PromiseKept { promise } => self.set_promise(promise, Standing::Kept),
            E::PromiseBroken { promise } => self.set_promise(promise, Standing::Broken),
            E::PlanAgreed { plan, claims, currency, rates, on } => {
                let agreed = Plan {
                    claims: claims.clone(),
                    currency: *currency,
                    rates: rates.clone(),
                    on: *on,
                    standing: Standing::Open,
                };
                self.plans.insert(plan.clone(), agreed);
            }
            E::PlanCompleted { plan } => self.set_plan(plan, Standing::Kept),
            E::PlanBroken { plan } => self.set_plan(plan, Standing::Broken),
            _ => {}
        }
    }

    fn set_promise(&mut self, promise: &PromiseId, standing: Standing) {
        if let Some(entry) = self.promises.get_mut(promise) {
            entry.standing = standing;
        }
    }

    fn set_plan(&mut self, plan: &PlanId, standing: Standing) {
        if let Some(entry) = self.plans.get_mut(plan) {
            entry.standing = standing;
        }
    }

    fn apply_placement(&mut self, event: &AccountEvent) {
        use AccountEvent as E;
        if let E::HandoffDue { placement, agency, claims, step, release, policy, missing } = event {
            for invoice in claims {
                self.claim(invoice).placement = Some(placement.clone());
            }
            let due = Placement {
                agency: agency.clone(),
                claims: claims.clone(),
                step: step.clone(),
                policy: policy.clone(),
                release: *release,
                missing: missing.clone(),
                approved_by: BTreeSet::new(),
                state: PlacementState::Due,
                amounts: Vec::new(),
                agency_state: None,
            };
            self.placements.insert(placement.clone(), due);
            return;
        }
        let (E::HandoffFieldsChanged { placement, .. }
        | E::PlacementApproved { placement, .. }
        | E::PlacementReleased { placement, .. }
        | E::HandoffWithdrawn { placement, .. }
        | E::PlacementRecalled { placement, .. }
        | E::PlacementReported { placement, .. }) = event
        else {
            return;
        };
        let Some(entry) = self.placements.get_mut(placement) else { return };
        let mut freed = false;
        match event {
            E::HandoffFieldsChanged { missing, .. } => entry.missing = missing.clone(),
            E::PlacementApproved { by, .. } => {
                entry.approved_by.insert(by.clone());
            }
            E::PlacementReleased { by, amounts, .. } => {
                entry.approved_by.insert(by.clone());
                entry.state = PlacementState::Released;
                entry.amounts = amounts.clone();
            }
            E::HandoffWithdrawn { .. } => {
                entry.state = PlacementState::Withdrawn;
                freed = true;
            }
            E::PlacementRecalled { .. } => {
                entry.state = PlacementState::Recalled;
                freed = true;
            }
            E::PlacementReported { report, .. } => match report {
                PlacementReport::Rejected | PlacementReport::Closed => {
                    let (state, word) = match report {
                        PlacementReport::Rejected => (PlacementState::Rejected, "rejected"),
                        _ => (PlacementState::Closed, "closed"),
                    };
                    entry.agency_state = Some(word.into());
                    if entry.state == PlacementState::Released {
                        entry.state = state;
                        freed = true;
                    }
                }
                PlacementReport::Status { state } => entry.agency_state = Some(state.clone()),
                PlacementReport::Accepted => entry.agency_state = Some("accepted".into()),
                PlacementReport::PaymentReceived { .. } => {}
            },
            _ => {}
        }
        if freed {
            let claims = entry.claims.clone();
            for invoice in &claims {
                let at = &mut self.claim(invoice).placement;
                *at = at.take().filter(|current| current != placement);
            }
        }
    }
}
