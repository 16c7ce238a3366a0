//! The future of one account under some rules, as if nobody paid.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp, civil::Date};
use kulanz_domain::{
    Account, AccountEvent, Command, Refusal,
    account::NoticeState,
    book::Book,
    calendar::day_in,
    decision::{Finding, WaitReason},
    event::{FeeKind, NoticeDecided},
    ids::*,
    money::Decimal,
    policy::{Rules, StepAction},
};

use super::report::Hindrance;
use crate::desk::account_hash;

/// An account as the store has it.
pub(crate) struct Start<'a> {
    pub id: &'a AccountId,
    pub account: &'a Account,
    pub version: u64,
}

/// A step that a claim takes.
pub(crate) struct Act {
    pub at: Timestamp,
    pub day: Date,
    pub deed: Deed,
}

pub(crate) enum Deed {
    Message(Arc<NoticeDecided>),
    Handoff(AgencyId),
    /// Nothing is sent.
    Quiet,
}

/// What happens to one account.
#[derive(Default)]
pub(crate) struct Future {
    /// By claim and step; of a step that comes twice, the first.
    pub acts: BTreeMap<(InvoiceId, StepName), Act>,
    /// Each message once, in time.
    pub messages: Vec<(Date, Arc<NoticeDecided>)>,
    /// Claims that are due to go to an agency, with what is open on that day.
    pub handed: Vec<(&'static str, Decimal)>,
    /// What stood in the way, each once.
    pub hindered: BTreeSet<(Hindrance, Option<InvoiceId>, Option<StepName>)>,
    /// Deliveries on account are stopped at the end.
    pub delivery_stopped: bool,
    /// Interest that is open at the end, by currency.
    pub interest: BTreeMap<&'static str, Decimal>,
}

/// Plays `start` from the first moment of `span` to just before its second.
pub(crate) fn play(
    start: &Start<'_>,
    rules: &Arc<Rules>,
    span: (Timestamp, Timestamp),
) -> Result<Future, Refusal> {
    let (from, end) = span;
    let mut player = Player {
        account: start.account.clone(),
        rules,
        version: start.version,
        hash: account_hash(start.id),
        future: Future::default(),
    };
    player.send_what_waits(from)?;
    let mut wake = Some(from);
    while let Some(at) = wake.filter(|at| *at < end) {
        wake = player.decide(at)?;
    }
    let last = end.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(end);
    player.future.delivery_stopped = player.account.delivery_stop.is_some();
    player.count_interest(day_in(last, &rules.creditor.zone));
    Ok(player.future)
}

struct Player<'a> {
    account: Account,
    rules: &'a Arc<Rules>,
    version: u64,
    hash: String,
    future: Future,
}

impl Player<'_> {
    /// Messages on their way were decided before: they go out in both futures and change neither.
    fn send_what_waits(&mut self, at: Timestamp) -> Result<(), Refusal> {
        let notices = self.account.notices.iter();
        let waiting = notices.filter(|(_, notice)| notice.state == NoticeState::Decided);
        let waiting: Vec<NoticeId> = waiting.map(|(id, _)| id.clone()).collect();
        waiting.into_iter().try_for_each(|notice| self.send(notice, at))
    }

    fn send(&mut self, notice: NoticeId, at: Timestamp) -> Result<(), Refusal> {
        let command = Command::ConfirmSent { notice, at, rules: Arc::clone(self.rules) };
        let executed = self.account.execute(&command)?;
        self.version += executed.events.len() as u64;
        Ok(())
    }

    /// Does all that is due at `now`; when to look again.
    fn decide(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        let today = day_in(now, &self.rules.creditor.zone);
        loop {
            let command = Command::Decide {
                rules: Arc::clone(self.rules),
                now,
                seed: format!("{}-{}", self.hash, self.version).into(),
            };
            let executed = self.account.execute(&command)?;
            self.version += executed.events.len() as u64;
            for finding in executed.findings {
                self.hinder(finding);
            }
            let mut decided = Vec::new();
            for event in executed.events {
                match event {
                    AccountEvent::NoticeDecided(notice) => {
                        decided.push(notice.notice.clone());
                        self.message(now, today, *notice);
                    }
                    AccountEvent::HandoffDue { claims, step, agency, missing, .. } => {
                        self.hand_off(now, today, claims, &step, &agency, &missing);
                    }
                    AccountEvent::StepTaken { claims, step, .. } => {
                        for invoice in claims {
                            let act = Act { at: now, day: today, deed: Deed::Quiet };
                            self.future.acts.entry((invoice, step.clone())).or_insert(act);
                        }
                    }
                    _ => {}
                }
            }
            if decided.is_empty() {
                // A wake-up that is not in the future would be taken again at once, for ever.
                let soonest = now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now);
                return Ok(executed.wake.map(|at| at.max(soonest)).filter(|at| *at > now));
            }
            decided.into_iter().try_for_each(|notice| self.send(notice, now))?;
        }
    }

    fn message(&mut self, at: Timestamp, day: Date, notice: NoticeDecided) {
        self.law_on(&notice);
        let notice = Arc::new(notice);
        for claim in &notice.claims {
            let key = (claim.invoice.clone(), claim.step.clone());
            let act = Act { at, day, deed: Deed::Message(Arc::clone(&notice)) };
            self.future.acts.entry(key).or_insert(act);
        }
        self.future.messages.push((day, notice));
    }

    fn hand_off(
        &mut self,
        at: Timestamp,
        day: Date,
        claims: Vec<InvoiceId>,
        step: &StepName,
        agency: &AgencyId,
        missing: &[String],
    ) {
        for invoice in claims {
            let currency = self.account.claims.get(&invoice).and_then(|claim| claim.currency());
            if let Some(currency) = currency {
                let book = Book::of(&self.account, currency);
                let column = book.claims.iter().find(|column| *column.invoice == invoice);
                let open = column.map_or(Decimal::ZERO, |column| column.open_on(day));
                self.future.handed.push((currency.code(), open));
            }
            if !missing.is_empty() {
                let lacks = (Hindrance::FieldsMissing, Some(invoice.clone()), Some(step.clone()));
                self.future.hindered.insert(lacks);
            }
            let deed = Deed::Handoff(agency.clone());
            self.future.acts.entry((invoice, step.clone())).or_insert(Act { at, day, deed });
        }
    }

    /// What the law took off the fee and the lump sums that the message's steps ask for.
    fn law_on(&mut self, notice: &NoticeDecided) {
        let Some(policy) = self.rules.policy(notice.currency) else { return };
        let asks = |name: &StepName| policy.steps.iter().find(|step| step.name == *name);
        let charges =
            |action: &StepAction| matches!(action, StepAction::Mahnung | StepAction::Offer { .. });
        let wanted = asks(&notice.step).filter(|step| charges(&step.action));
        let given = notice.fee.as_ref().map_or(Decimal::ZERO, |(_, amount)| *amount);
        if let (Some(step), Some(lead)) = (wanted, notice.claims.first())
            && given < step.fee
        {
            let lowered =
                (Hindrance::FeeLowered, Some(lead.invoice.clone()), Some(step.name.clone()));
            self.future.hindered.insert(lowered);
        }
        for claim in &notice.claims {
            let asked = asks(&claim.step).is_some_and(|step| step.lump_sum);
            let charged = notice.lump_sums.iter().any(|(invoice, _)| *invoice == claim.invoice);
            let before = self.account.claims.get(&claim.invoice).is_some_and(|known| {
                known.fees.iter().any(|fee| fee.kind == FeeKind::LumpSum && !fee.reversed)
            });
            if asked && !charged && !before {
                let (invoice, step) = (claim.invoice.clone(), claim.step.clone());
                self.future.hindered.insert((Hindrance::LumpSumRefused, Some(invoice), Some(step)));
            }
        }
    }

    fn hinder(&mut self, finding: Finding) {
        let Finding { invoice, step, waits, until, due_on } = finding;
        let Some(reason) = waits else { return };
        let hindrance = match reason {
            WaitReason::ContactCap => Hindrance::ContactCap,
            WaitReason::OutsideWindow => Hindrance::Window,
            WaitReason::NotBefore => {
                let opens = until.map(|at| day_in(at, &self.rules.creditor.zone));
                match (due_on, opens) {
                    (Some(due), Some(opens)) if opens > due => Hindrance::Window,
                    _ => return,
                }
            }
            WaitReason::NotInDefault => Hindrance::NotInDefault,
            WaitReason::TimeBarred(_) => Hindrance::TimeBarred,
            WaitReason::OldClaim => Hindrance::HeldBack,
            WaitReason::BelowMinimum => Hindrance::BelowMinimum,
            WaitReason::NoChannel => Hindrance::NoChannel,
            _ => return,
        };
        self.future.hindered.insert((hindrance, invoice, step));
    }

    fn count_interest(&mut self, on: Date) {
        if self.account.interest.is_empty() {
            return;
        }
        for currency in self.account.currencies() {
            let book = Book::of(&self.account, currency);
            let open: Decimal = book.claims.iter().map(|column| column.interest_on(on)).sum();
            if open > Decimal::ZERO {
                self.future.interest.insert(currency.code(), open);
            }
        }
    }
}
