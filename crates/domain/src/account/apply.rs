//! What each event does to the state: fields are copied, nothing is refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::*;
use crate::claim::{Dispute, Fee, GivenUp, LimitationFact, Rescheduled, StepTaken};

/// How many contacts are remembered: more than any legal cap counts.
const CONTACTS_KEPT: usize = 32;

/// Keeps the earlier of two days, so that it does not matter which one was told first.
fn earliest(day: &mut Option<Date>, told: Date) {
    *day = Some(day.map_or(told, |known| known.min(told)));
}

impl Account {
    fn claim(&mut self, invoice: &InvoiceId) -> &mut Claim {
        if !self.claims.contains_key(invoice) {
            self.claims.insert(invoice.clone(), Box::default());
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
        self.forget_books(event);
        match event {
            E::DebtorUpdated { stamp, profile } => match &mut self.debtor {
                Some((latest, known)) if *latest >= *stamp => {
                    // The day of birth is a word by itself: it may be the latest that tells one.
                    let told = profile.birth_told == BirthTold::Here;
                    if told && known.birth_word(latest).is_none_or(|word| word < stamp) {
                        known.minor_until = profile.minor_until;
                        known.birth_told = match latest == stamp {
                            true => BirthTold::Here,
                            false => BirthTold::With(Box::new(stamp.clone())),
                        };
                    }
                }
                debtor => {
                    *debtor = Some((stamp.clone(), profile.clone()));
                    self.dead_channels.retain(|_, gap| *gap == ChannelGap::NoConsent);
                }
            },
            E::InsolvencyOpened { on } => earliest(&mut self.insolvent_on, *on),
            E::DebtorDeceased { on } => earliest(&mut self.deceased_on, *on),
            E::HoldPlaced { hold, invoice, owner, until, on, at } => {
                let told = HoldPlaced {
                    invoice: invoice.clone(),
                    owner: owner.clone(),
                    until: *until,
                    on: *on,
                    at: *at,
                };
                let entry = self.holds.entry(hold.clone()).or_default();
                if entry.placed.as_ref().is_none_or(|known| known.rank() < told.rank()) {
                    entry.placed = Some(told);
                    entry.weigh();
                }
            }
            E::HoldReleased { hold, at } => {
                let entry = self.holds.entry(hold.clone()).or_default();
                entry.released = true;
                entry.released_at = entry.released_at.max(*at);
                entry.weigh();
            }
            E::HelpUnanswered { hold, .. } => {
                self.holds.entry(hold.clone()).or_default().unanswered = true;
            }
            E::OverrideSet(set) => self.overrides.push(set.clone()),
            E::OverrideLifted { id, on, .. } => {
                let lifted = self.overrides.iter_mut().filter(|one| one.id == *id);
                lifted.for_each(|one| one.lifted_on = Some(*on));
            }
            E::DeliveryStopped { claims, on } => {
                let since = self.delivery_stop.as_ref().map_or(*on, |stop| stop.since);
                self.delivery_stop = Some(DeliveryStop { since, claims: claims.clone() });
            }
            E::DeliveryResumed { .. } => self.delivery_stop = None,
            E::ReopeningUntold { invoice, payment: Some(payment), on } => {
                let untold = Untold { payment: payment.clone(), since: *on };
                self.untold.insert(invoice.clone(), untold);
            }
            E::ReopeningUntold { invoice, payment: None, .. } => {
                self.untold.remove(invoice);
            }
            E::AccountErased { at } => self.erased_at = Some(*at),
            E::InterestTermsSet(terms) => self.interest.push(terms.clone()),
            E::BaseRatesTaken { rates } => {
                let mut known: Vec<(Date, Decimal)> =
                    self.base_rates.iter().flat_map(|known| known.rows()).collect();
                known.extend(rates.iter().copied());
                known.sort_unstable();
                self.base_rates = Some(Arc::new(BaseRates::from(known)));
            }
            E::PolicyMet { policy, at, .. } => {
                self.met
                    .entry(policy.name.clone())
                    .and_modify(|(_, latest)| *latest = policy.clone())
                    .or_insert_with(|| (*at, policy.clone()));
            }
            E::InvoiceIssued { .. }
            | E::InvoiceCompleted { .. }
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
            | E::LimitationNear { .. }
            | E::ClaimHeldBack { .. }
            | E::ClaimAdmitted { .. }
            | E::ContractApproved { .. } => self.apply_claim(event),
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
            | E::NoticeWasWrong { .. }
            | E::ReminderReported { .. }
            | E::StepTaken { .. } => self.apply_notice(event),
            E::PromiseMade { .. }
            | E::PromiseKept { .. }
            | E::PromiseBroken { .. }
            | E::PromiseResumed { .. }
            | E::PlanAgreed { .. }
            | E::PlanCompleted { .. }
            | E::PlanBroken { .. }
            | E::PlanResumed { .. } => self.apply_arrangement(event),
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
            E::InvoiceCompleted { invoice, contract_on, contract_object_known } => {
                let claim = self.claims.get_mut(invoice);
                if let Some(known) = claim.and_then(|claim| claim.invoice.as_mut()) {
                    known.contract_on = *contract_on;
                    known.contract_object_known = *contract_object_known;
                }
            }
            E::InvoiceAdjusted { invoice, stamp, on, amount } => {
                let claim = self.claim(invoice);
                if claim.adjusted.as_deref().is_none_or(|(latest, ..)| latest < stamp) {
                    claim.adjusted = Some(Box::new((stamp.clone(), *on, *amount)));
                }
            }
            E::InvoiceCredited { invoice, credit, on, amount } => {
                self.claim(invoice).credits.insert(credit.clone(), (*on, *amount));
            }
            E::InvoiceCancelled { invoice, on } => {
                earliest(&mut self.claim(invoice).cancelled_on, *on);
            }
            E::InvoiceRescheduled { invoice, stamp, on, due_on } => {
                let claim = self.claim(invoice);
                let on = on.unwrap_or_else(|| day_in(stamp.at, &TimeZone::UTC));
                let told = Rescheduled { stamp: stamp.clone(), on, due_on: *due_on };
                let later = |one: &Rescheduled| one.stamp.cmp(stamp);
                if let Err(at) = claim.rescheduled.binary_search_by(later) {
                    claim.rescheduled.insert(at, told);
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
            E::DisputeOpened { dispute, invoice, on, amount, at } => {
                let entry: &mut Dispute =
                    self.claim(invoice).disputes.entry(dispute.clone()).or_default();
                entry.opens((*on, *amount), *at);
            }
            E::DisputeResolved { dispute, invoice, on, outcome, amount, at } => {
                let entry: &mut Dispute =
                    self.claim(invoice).disputes.entry(dispute.clone()).or_default();
                entry.ends((*on, *outcome, *amount), *at);
            }
            E::ClaimSettled { invoice, on } => self.claim(invoice).settled_on = Some(*on),
            E::ClaimReopened { invoice } => self.claim(invoice).settled_on = None,
            E::DefaultBegins { invoice, notice, from } => {
                let claim = self.claim(invoice);
                claim.defaults.insert(notice.clone(), *from);
                claim.pick_default();
            }
            E::FeeCharged { invoice, kind, notice, on, amount } => {
                self.claim(invoice).fees.push(Fee {
                    kind: *kind,
                    notice: notice.clone(),
                    on: *on,
                    amount: *amount,
                    reversed: false,
                })
            }
            E::FeeReversed { invoice, notice, .. } => {
                for fee in &mut self.claim(invoice).fees {
                    fee.reversed |= fee.notice == *notice;
                }
            }
            E::LimitationNear { invoice, act_by } => self.claim(invoice).barred_after = *act_by,
            E::ClaimHeldBack { invoice } => self.claim(invoice).held_back = true,
            E::ClaimAdmitted { invoice, .. } => {
                let claim = self.claim(invoice);
                (claim.admitted, claim.held_back) = (true, false);
            }
            E::ContractApproved { invoice, .. } => self.claim(invoice).approved = true,
            _ => {}
        }
    }

    fn apply_payment(&mut self, event: &AccountEvent) {
        use AccountEvent as E;
        match event {
            E::PaymentReceived { payment, booked_on, amount, method, invoice } => {
                // The claim's own id, so that memory has it once.
                let own = invoice.as_ref().and_then(|named| self.claims.get_key_value(named));
                let invoice = own.map(|(known, _)| known.clone()).or_else(|| invoice.clone());
                let entry = self.payments.entry(payment.clone()).or_default();
                let (booked_on, amount, method) = (*booked_on, *amount, method.clone());
                let told = Received { booked_on, amount, method, invoice };
                if entry.is_agencys(&told) {
                    entry.booked = entry.by_bank().cloned().map(Box::new);
                }
                entry.received = Some(told);
            }
            E::PaymentReturned { payment, on, amount, reason, fee, at } => {
                let entry = self.payments.entry(payment.clone()).or_default();
                let (on, amount, fee, told_at) = (*on, *amount, *fee, *at);
                entry.returned.push(Returned { on, amount, fee, reason: reason.clone(), told_at });
                entry.returned.sort_unstable();
            }
            E::PaymentRefunded { payment, on, amount } => {
                let refunded = &mut self.payments.entry(payment.clone()).or_default().refunded;
                refunded.push((*on, *amount));
                refunded.sort_by_key(|(on, money)| (*on, money.currency.code(), money.amount));
            }
            E::PaymentAssigned { payment, stamp, to, invoice, at } => {
                let entry = self.payments.entry(payment.clone()).or_default();
                let known = entry.assigned_to.clone(); // a snapshot of before may lack it
                entry.assigned_ever.extend(known.into_iter().chain(to.clone()));
                let (stamp, to, invoice) = (stamp.clone(), to.clone(), invoice.clone());
                entry.assign(Assigned { stamp, to, invoice, told_at: *at });
            }
            E::PaymentAllocated { payment, parts, .. } | E::Reallocated { payment, parts, .. } => {
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
                    wrong: BTreeMap::new(),
                };
                self.notices.insert(decided.notice.clone(), Box::new(notice));
            }
            E::NoticeSent { notice, at, deadline } => {
                self.lift_pending(notice);
                self.contacted(*at);
                let Some(entry) = self.notices.get_mut(notice) else { return };
                entry.state = NoticeState::Sent;
                entry.sent_at = Some(*at);
                entry.deadline = *deadline;
                let claims = entry.decided.claims.iter();
                let parts: Vec<_> = claims.map(|c| (c.invoice.clone(), c.step.clone())).collect();
                for (invoice, step) in parts {
                    self.claim(&invoice).step_up(StepTaken {
                        step,
                        notice: Some(notice.clone()),
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
                    // It may come before the word that the gateway took the message, or that
                    // another sender's was sent.
                    if !self.notices.contains_key(notice) && !self.reported.contains(notice) {
                        self.came_back.insert(notice.clone());
                    }
                    self.lift_pending(notice);
                    for claim in self.claims.values_mut() {
                        claim.undo_step(notice);
                        if claim.defaults.remove(notice).is_some() {
                            claim.pick_default();
                        }
                    }
                }
            },
            E::NoticeWasWrong { notice, invoice, told, right } => {
                let Some(entry) = self.notices.get_mut(notice) else { return };
                if told == right {
                    entry.wrong.remove(invoice);
                } else {
                    entry.wrong.insert(invoice.clone(), (*told, *right));
                }
            }
            E::ReminderReported { notice, at, invoices, counts_as, came_back, .. } => {
                self.contacted(*at);
                self.reported.insert(notice.clone());
                self.came_back.remove(notice);
                for invoice in invoices {
                    let Some(step) = counts_as else { continue };
                    let claim = self.claim(invoice);
                    if !came_back {
                        claim.step_up(StepTaken {
                            step: step.clone(),
                            notice: Some(notice.clone()),
                            at: *at,
                            deadline: None,
                        });
                    }
                }
            }
            E::StepTaken { step, claims, at, .. } => {
                for invoice in claims {
                    self.claim(invoice).step_up(StepTaken {
                        step: step.clone(),
                        notice: None,
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
                    ended_on: None,
                };
                self.promises.insert(promise.clone(), made);
            }
            E::PromiseKept { promise, on } => self.end_promise(promise, Standing::Kept, *on),
            E::PromiseBroken { promise, on } => self.end_promise(promise, Standing::Broken, *on),
            E::PromiseResumed { promise, .. } => self.end_promise(promise, Standing::Open, None),
            E::PlanAgreed { plan, claims, currency, rates, on } => {
                let agreed = Plan {
                    claims: claims.clone(),
                    currency: *currency,
                    rates: rates.clone(),
                    on: *on,
                    standing: Standing::Open,
                    ended_on: None,
                };
                self.plans.insert(plan.clone(), agreed);
            }
            E::PlanCompleted { plan, on } => self.end_plan(plan, Standing::Kept, *on),
            E::PlanBroken { plan, on } => self.end_plan(plan, Standing::Broken, *on),
            E::PlanResumed { plan, since, until, .. } => {
                self.end_plan(plan, Standing::Open, None);
                if let Some(since) = since {
                    let until = until.unwrap_or(Timestamp::MAX);
                    let claims = self.plans.get(plan).map(|one| one.claims.clone());
                    for invoice in claims.iter().flatten() {
                        self.claim(invoice).undo_steps(*since, until);
                    }
                }
            }
            _ => {}
        }
    }

    fn end_promise(&mut self, promise: &PromiseId, standing: Standing, on: Option<Date>) {
        if let Some(entry) = self.promises.get_mut(promise) {
            (entry.standing, entry.ended_on) = (standing, on);
        }
    }

    fn end_plan(&mut self, plan: &PlanId, standing: Standing, on: Option<Date>) {
        if let Some(entry) = self.plans.get_mut(plan) {
            (entry.standing, entry.ended_on) = (standing, on);
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
                interest: Vec::new(),
                went_out: None,
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
        if let E::PlacementReported { on, report, .. } = event
            && let PlacementReport::PaymentReceived { payment, amount, paid_to_creditor, .. } =
                report
        {
            let entry = self.payments.entry(payment.clone()).or_default();
            let told = ByAgency { on: *on, amount: *amount, paid_to_creditor: *paid_to_creditor };
            entry.by_agency.get_or_insert_with(|| Box::new(told));
        }
        let Some(entry) = self.placements.get_mut(placement) else { return };
        let mut freed = false;
        match event {
            E::HandoffFieldsChanged { missing, .. } => entry.missing = missing.clone(),
            E::PlacementApproved { by, .. } => {
                entry.approved_by.insert(by.clone());
            }
            E::PlacementReleased { by, amounts, interest, .. } => {
                entry.approved_by.insert(by.clone());
                entry.state = PlacementState::Released;
                entry.amounts = amounts.clone();
                entry.interest = interest.clone();
                let went_out = PlacementNow::of(self, &self.placements[placement]);
                if let Some(entry) = self.placements.get_mut(placement) {
                    entry.went_out = Some(Box::new(went_out));
                }
                return;
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
