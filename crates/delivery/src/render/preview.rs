//! Messages to look at before anybody gets one: each text of each step, rendered as it will be sent,
//! from a sample whose costs and days are those that the step would have.
//!
//! The samples by which texts are checked have costs of every kind at once, so that each branch is
//! tried. Who looks at a message wants what the policy and the law make of it: no fee in an e-mail
//! to a consumer, no interest before default, sums that add up.

use jiff::{ToSpan, civil::Date};
use kulanz_domain::{
    arrangement::offers,
    calendar::day_in,
    fact::{Channel, DebtorKind, Supply},
    law,
    money::{Decimal, Money},
    policy::{Anchor, Creditor as Rulebook, InterestClaimed, Law, Policy, Step, StepAction},
};

use super::{
    Content, Creditor, RenderError, Sample, TemplateProblem, Templates, TextKey,
    context::{MessageContext, PlanLine},
    examine::{occasion, plans_of},
    sample::{DUE_ON, ISSUED_ON, payment_reference},
};

/// A message that nobody got.
#[derive(Debug, Clone)]
pub struct Previewed {
    /// Place of the step in the ladder.
    pub place: usize,
    /// The text that it was made of.
    pub key: TextKey,
    /// The sample that it was made with.
    pub sample: Sample,
    /// The message.
    pub content: Content,
    /// Fee that this message charges, as far as the law lets it.
    pub fee: Money,
    /// Lump sum that it charges.
    pub lump_sum: Money,
    /// Day on which it would be sent, where nothing holds the ladder up.
    pub sent_on: Date,
    /// How many days that is after the sample's due date; negative before it.
    pub days_after_due: i32,
    /// Day by which to pay.
    pub deadline: Option<Date>,
}

/// Factors by which amounts grow until the plans that a step offers can be had.
const LARGER: [i64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/// Each text of each step of `policy`, in the order of the ladder, then by name. `shown` is the
/// creditor as messages name it, `rulebook` whose law and holidays hold.
///
/// # Errors
/// The first text that does not render; [`examine`](super::examine) finds all of them.
pub fn preview(
    policy: &Policy,
    templates: &Templates,
    (shown, rulebook): (&Creditor, &Rulebook),
    sample: Sample,
    base_url: &str,
) -> Result<Vec<Previewed>, TemplateProblem> {
    let days = ladder(policy, rulebook);
    let mut made = Vec::new();
    for ((place, step), sent_on) in policy.steps.iter().enumerate().zip(&days) {
        let Some(plans) = plans_of(step) else { continue };
        let occasion = occasion(policy, step, &plans, shown, base_url);
        let stage = Stage { policy, rulebook, place, step, sent_on: *sent_on };
        for key in templates.keys().filter(|key| key.text == *step.text) {
            let message = match sample {
                Sample::Longest => sample.message(&occasion), // a measure of room
                Sample::Short | Sample::Several => {
                    stage.fitted(sample.message(&occasion), key.channel)
                }
            };
            let content = match templates.render(key, &message) {
                Ok(content) => content,
                Err(RenderError::Failed(problem)) => return Err(problem),
                Err(error @ RenderError::NoText(_)) => {
                    let (file, message) = (key.to_string(), error.to_string());
                    return Err(TemplateProblem { file, line: 1, message });
                }
            };
            made.push(Previewed {
                place,
                key: key.clone(),
                sample,
                content,
                fee: message.fee,
                lump_sum: message.lump_sum,
                sent_on: *sent_on,
                days_after_due: sent_on.since(DUE_ON).map_or(0, |span| span.get_days()),
                deadline: message.deadline,
            });
        }
    }
    Ok(made)
}

/// The day of each step, as the ladder runs at its usual pace for somebody whom everybody's contact
/// hours hold for: messages leave on days with such hours, and none before a deadline that was told
/// has passed and a payment had time to arrive.
fn ladder(policy: &Policy, rulebook: &Rulebook) -> Vec<Date> {
    let window = policy.personas.last().map(|everybody| {
        let limits = law::contact_limits(rulebook.law);
        limits.map_or(everybody.window, |limits| everybody.window.intersect(&limits.window))
    });
    let open_day = |day: Date| {
        let opening = window.and_then(|window| window.opening_of(day, &rulebook.zone));
        opening.map_or(day, |opening| day_in(opening, &rulebook.zone))
    };
    let mut days: Vec<Date> = Vec::with_capacity(policy.steps.len());
    let (mut default, mut patience) = (None, Date::MIN);
    for step in &policy.steps {
        let from = match step.at.anchor {
            Anchor::Due => DUE_ON,
            Anchor::Issued => ISSUED_ON,
            Anchor::Default => default.unwrap_or(DUE_ON),
            Anchor::Step(at) => days.get(at).copied().unwrap_or(DUE_ON),
        };
        let day = match step.at.before {
            true => step.at.span.before(from, policy.region),
            false => step.at.span.after(from, policy.region),
        };
        let mut day = day.max(patience);
        if !matches!(step.action, StepAction::Quiet | StepAction::HandOff { .. }) {
            day = open_day(day);
        }
        let told = step.deadline.map(|span| law::deadline(span, day, rulebook.seat(), None));
        if let Some(told) = told {
            let arrived = policy.in_flight.after(told, policy.region);
            patience = patience.max(arrived);
        }
        if step.action == StepAction::Mahnung && default.is_none() {
            default = Some(rulebook.seat().day_after(told.unwrap_or(day), None));
        }
        days.push(day);
    }
    days
}

/// A step at work.
#[derive(Clone, Copy)]
struct Stage<'a> {
    policy: &'a Policy,
    rulebook: &'a Rulebook,
    place: usize,
    step: &'a Step,
    sent_on: Date,
}

/// What the messages of earlier steps charged, by the channel of this one.
#[derive(Debug, Clone, Copy, Default)]
struct Charged {
    /// Fees, on the first claim.
    fees: Decimal,
    /// The lump sum of the first claim, and that of each other one.
    lump_sums: (Decimal, Decimal),
}

impl Charged {
    fn any_lump_sum(self) -> bool {
        self.lump_sums.0 + self.lump_sums.1 > Decimal::ZERO
    }

    /// Of the first claim, or of another one.
    fn of(self, first: bool) -> Decimal {
        if first { self.fees + self.lump_sums.0 } else { self.lump_sums.1 }
    }
}

impl Stage<'_> {
    /// A Mahnung came before, so its deadline is over.
    fn in_default(&self) -> bool {
        let mut before = self.policy.steps.iter().take(self.place);
        self.rulebook.law != Law::None && before.any(|step| step.action == StepAction::Mahnung)
    }

    /// `message` with the costs, sums and days of this step.
    fn fitted(&self, message: MessageContext, channel: Channel) -> MessageContext {
        let mut fitted = message.clone();
        for factor in LARGER {
            fitted = self.charged(message.clone(), channel, factor);
            if self.offers_all(&fitted) {
                break;
            }
        }
        fitted
    }

    /// The plans of the step can be had for what is open.
    fn offers_all(&self, message: &MessageContext) -> bool {
        match &self.step.action {
            StepAction::Offer { plans } => plans.len() == message.plans.len(),
            _ => true,
        }
    }

    fn charged(
        &self,
        mut message: MessageContext,
        channel: Channel,
        factor: i64,
    ) -> MessageContext {
        let currency = self.policy.currency;
        let money = |amount: Decimal| Money::new(amount, currency);
        let bears =
            self.rulebook.law != Law::None && self.policy.interest.claimed != InterestClaimed::None;
        let before = self.before(channel);
        let now = self.charges(channel, before);
        let (mut principal, mut interest) = (Decimal::ZERO, Decimal::ZERO);
        let (mut charged, mut lump_sum) = (now.fees, Decimal::ZERO);
        for (claim, of_claim) in message.claims.iter_mut().zip(1..) {
            let owed = claim.amount.amount * Decimal::from(factor);
            let runs = if bears && self.in_default() { of_claim * factor } else { 0 };
            let (runs, first) = (Decimal::from(runs), of_claim == 1);
            // As it is now: what this message charges comes on top.
            claim.amount = money(owed + runs + before.of(first));
            principal += owed;
            interest += runs;
            lump_sum += if first { now.lump_sums.0 } else { now.lump_sums.1 };
            charged += before.of(first);
        }
        let (fee, fees) = (now.fees, charged + lump_sum);
        let total = principal + interest + fees;
        let first_on = self.sent_on.checked_add(7.days()).unwrap_or(self.sent_on);
        message.plans = self.plans(total, first_on);
        if let [only] = message.claims.as_slice() {
            message.reference = only.invoice.clone();
            message.payment_reference = payment_reference(&only.invoice);
        }
        let seat = self.rulebook.seat();
        let deadline = self.step.deadline;
        MessageContext {
            total: money(total),
            principal: money(principal),
            fees: money(fees),
            fee: money(fee),
            lump_sum: money(lump_sum),
            interest: money(interest),
            interest_to: self.sent_on,
            bears_interest: bears,
            searched_on: None,
            went_back_on: None,
            reassigned: None,
            help_asked_on: None,
            deadline: deadline.map(|span| law::deadline(span, self.sent_on, seat, None)),
            ..message
        }
    }

    /// A step that asks for the lump sum is meant for businesses; else the stricter law holds.
    fn reader(&self) -> DebtorKind {
        if self.step.lump_sum { DebtorKind::Business } else { DebtorKind::Consumer }
    }

    /// What the steps before this one have charged.
    fn before(&self, channel: Channel) -> Charged {
        let earlier = self.policy.steps.iter().take(self.place).enumerate();
        earlier.fold(Charged::default(), |before, (place, step)| {
            let now = Stage { place, step, ..*self }.charges(channel, before);
            Charged {
                fees: before.fees + now.fees,
                lump_sums: (
                    before.lump_sums.0 + now.lump_sums.0,
                    before.lump_sums.1 + now.lump_sums.1,
                ),
            }
        })
    }

    /// What this step charges after those. The lump sum is credited against what reminders cost:
    /// beside it and after it they cost nothing.
    fn charges(&self, channel: Channel, before: Charged) -> Charged {
        let lump_sums = match before.any_lump_sum() {
            true => (Decimal::ZERO, Decimal::ZERO),
            false => (self.lump_sum(before.fees), self.lump_sum(Decimal::ZERO)),
        };
        let free = before.any_lump_sum() || lump_sums.0 > Decimal::ZERO;
        Charged { fees: if free { Decimal::ZERO } else { self.fee(channel) }, lump_sums }
    }

    fn fee(&self, channel: Channel) -> Decimal {
        if !matches!(self.step.action, StepAction::Mahnung | StepAction::Offer { .. }) {
            return Decimal::ZERO;
        }
        let guard = law::fee_guard(channel, self.in_default(), self.rulebook.law, self.reader());
        guard.map_or(self.step.fee, |guard| self.step.fee.min(guard.cap()))
    }

    /// For one claim, on which reminders have cost so much.
    fn lump_sum(&self, fees_charged: Decimal) -> Decimal {
        if !self.step.lump_sum {
            return Decimal::ZERO;
        }
        law::lump_sum(
            self.rulebook.law,
            self.reader(),
            Supply::GoodsServices,
            self.policy.currency,
            self.in_default(),
            fees_charged,
        )
    }

    fn plans(&self, total: Decimal, first_on: Date) -> Vec<PlanLine> {
        let StepAction::Offer { plans } = &self.step.action else { return Vec::new() };
        let money = |amount: Decimal| Money::new(amount, self.policy.currency);
        let offered = offers(self.policy, total, first_on).into_iter();
        let offered = offered.filter(|(terms, _)| plans.contains(terms));
        let lines = offered.filter_map(|(terms, rates)| {
            let last = rates.last()?;
            Some(PlanLine {
                rates: terms.rates,
                first: money(rates.first()?.amount),
                rate: money(rates.get(1)?.amount),
                last: money(last.amount),
                last_on: last.due_on,
            })
        });
        lines.collect()
    }
}
