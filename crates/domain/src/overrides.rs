//! What a person decided differently for one account, or for one claim of it.
//!
//! Of each thing the claim's override counts before the account's, and that before the policy; of
//! two for the same the one that was set last. The law stands above all of them: hours, caps, fees
//! and default are asked after, as for a policy. A name that the policy in force does not know any
//! more changes nothing, but for `no_further_than`: then no step is taken, since nobody can say
//! which ones were meant.

use std::borrow::Cow;

use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::Account,
    accrual::{InterestTerms, lawful_rate},
    event::{NoticeDecided, Suppression},
    fact::{Channel, DebtorKind, PayWith},
    ids::*,
    money::Decimal,
    policy::{LanguageChoice, Persona, Policy},
};

/// An override with its beginning and end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Override {
    /// Id.
    #[serde(rename = "override")]
    pub id: OverrideId,
    /// `None`: the whole account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<InvoiceId>,
    /// What is different.
    pub terms: OverrideTerms,
    /// Last day; `None`: until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// Who set it.
    pub by: String,
    /// Day on which it was set, the first on which it holds.
    pub on: Date,
    /// Day on which it was lifted, the first on which it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_on: Option<Date>,
}

/// What is different; absent: as it would be without.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OverrideTerms {
    /// The debtor is spoken to as this persona.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<PersonaName>,
    /// Messages are in this language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Channels in order, and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<Channel>>,
    /// Ways to pay in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_with: Option<Vec<PayWith>>,
    /// Waits after the due date are multiplied by this, 0.1 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Decimal>,
    /// Whether steps charge their fees and lump sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees: Option<Charges>,
    /// Whether interest runs, from the first day of the override to its last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest: Option<Charges>,
    /// Below this a claim is shown, not dunned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Decimal>,
    /// No step above this one is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_further_than: Option<StepName>,
}

/// What is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Charges {
    /// Nothing.
    None,
    /// What the policy says: for a claim whose account has `none`.
    Policy,
}

impl OverrideTerms {
    /// Whether it changes nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Override {
    /// Whether it holds on `day`.
    pub fn holds_on(&self, day: Date) -> bool {
        self.on <= day
            && self.until.is_none_or(|until| day <= until)
            && self.lifted_on.is_none_or(|lifted| day < lifted)
    }

    /// The first day on which it does not hold any more.
    fn over_on(&self) -> Option<Date> {
        let expires = self.until.and_then(|until| until.checked_add(1.day()).ok());
        [expires, self.lifted_on].into_iter().flatten().min()
    }
}

/// What holds for a claim, or with no claim for the account, once persons were heard.
#[derive(Debug, Clone)]
pub struct Effective<'a> {
    /// Who is spoken to how.
    pub persona: Cow<'a, Persona>,
    /// The override that chose the persona.
    pub persona_by: Option<OverrideId>,
    /// Steps charge fees and lump sums, as far as the law lets them.
    pub fees: bool,
    /// Below this a claim is shown, not dunned.
    pub minimum: Decimal,
    /// No step above this one, and who said so.
    pub no_further_than: Option<(OverrideId, StepName)>,
    /// Overrides that decide any of it.
    pub because: Vec<OverrideId>,
}

impl<'a> Effective<'a> {
    /// Of `chosen`, the persona that the policy's conditions choose.
    pub(crate) fn of(
        account: &Account,
        policy: &'a Policy,
        chosen: &'a Persona,
        invoice: Option<&InvoiceId>,
        today: Date,
    ) -> Self {
        let mut effective = Self {
            persona: Cow::Borrowed(chosen),
            persona_by: None,
            fees: true,
            minimum: policy.minimum,
            no_further_than: None,
            because: Vec::new(),
        };
        if account.overrides.is_empty() {
            return effective;
        }
        let told = Told { account, invoice, today };
        if let Some((id, name)) = told.of(|terms| terms.persona.as_ref())
            && let Some(persona) = policy.personas.iter().find(|one| one.name == *name)
        {
            effective.persona = Cow::Borrowed(persona);
            effective.persona_by = Some(effective.because(id));
        }
        if let Some((id, language)) = told.of(|terms| terms.language.as_ref()) {
            effective.persona.to_mut().language = LanguageChoice::Fixed(language.clone());
            effective.because(id);
        }
        if let Some((id, channels)) = told.of(|terms| terms.channels.as_ref()) {
            effective.persona.to_mut().channels.clone_from(channels);
            effective.because(id);
        }
        if let Some((id, ways)) = told.of(|terms| terms.pay_with.as_ref()) {
            effective.persona.to_mut().pay_with.clone_from(ways);
            effective.because(id);
        }
        if let Some((id, pace)) = told.of(|terms| terms.pace.as_ref()) {
            effective.persona.to_mut().pace = *pace;
            effective.because(id);
        }
        if let Some((id, Charges::None)) = told.of(|terms| terms.fees.as_ref()) {
            effective.fees = false;
            effective.because(id);
        }
        if let Some((id, minimum)) = told.of(|terms| terms.minimum.as_ref()) {
            effective.minimum = *minimum;
            effective.because(id);
        }
        if let Some((id, step)) = told.of(|terms| terms.no_further_than.as_ref()) {
            effective.no_further_than = Some((effective.because(id), step.clone()));
        }
        effective
    }

    fn because(&mut self, id: &OverrideId) -> OverrideId {
        if !self.because.contains(id) {
            self.because.push(id.clone());
        }
        id.clone()
    }

    /// The override that keeps the step at `at` from being taken.
    pub(crate) fn stops(&self, policy: &Policy, at: usize) -> Option<&OverrideId> {
        let (id, last) = self.no_further_than.as_ref()?;
        let last = policy.steps.iter().position(|step| step.name == *last);
        last.is_none_or(|last| at > last).then_some(id)
    }

    /// Whether both are spoken to in the same way, so that one message can serve both.
    pub(crate) fn same_voice(&self, other: &Self) -> bool {
        let (mine, theirs) = (&*self.persona, &*other.persona);
        std::ptr::eq(mine, theirs)
            || mine.name == theirs.name
                && mine.language == theirs.language
                && mine.channels == theirs.channels
                && mine.pay_with == theirs.pay_with
    }
}

/// The overrides that hold on a day, for a claim or the account.
struct Told<'a> {
    account: &'a Account,
    invoice: Option<&'a InvoiceId>,
    today: Date,
}

impl<'a> Told<'a> {
    /// What counts of one thing: the claim's latest word on it, else the account's.
    fn of<T>(
        &self,
        thing: impl Fn(&'a OverrideTerms) -> Option<&'a T>,
    ) -> Option<(&'a OverrideId, &'a T)> {
        let latest = |invoice: Option<&InvoiceId>| {
            let all = self.account.overrides.iter().rev();
            let mut these =
                all.filter(|one| one.invoice.as_ref() == invoice && one.holds_on(self.today));
            these.find_map(|one| Some((&one.id, thing(&one.terms)?)))
        };
        self.invoice.and_then(|_| latest(self.invoice)).or_else(|| latest(None))
    }
}

impl Account {
    /// Overrides that hold on `day`.
    pub fn overrides_on(&self, day: Date) -> impl Iterator<Item = &Override> {
        self.overrides.iter().filter(move |one| one.holds_on(day))
    }

    /// Ways to pay that a person set for the whole account.
    pub fn pay_with_override(&self, today: Date) -> Option<&Vec<PayWith>> {
        let told = Told { account: self, invoice: None, today };
        told.of(|terms| terms.pay_with.as_ref()).map(|(_, ways)| ways)
    }

    /// The next day on which an override that holds on `today` does not any more.
    pub(crate) fn override_ends(&self, today: Date) -> Option<Date> {
        self.overrides_on(today).filter_map(Override::over_on).min()
    }

    /// Days on which no interest of the claim runs since a person said so, in their order.
    pub(crate) fn interest_free(&self, invoice: &InvoiceId) -> Vec<(Date, Date)> {
        let concerns = |one: &&Override| {
            one.terms.interest.is_some() && one.invoice.as_ref().is_none_or(|of| of == invoice)
        };
        let mut turns: Vec<Date> = self
            .overrides
            .iter()
            .filter(concerns)
            .flat_map(|one| [Some(one.on), one.over_on()].into_iter().flatten())
            .collect();
        turns.sort_unstable();
        turns.dedup();
        let ends = turns.iter().skip(1).map(|next| next.saturating_sub(1.day()));
        let free = turns.iter().copied().zip(ends.chain([Date::MAX])).filter(|(from, _)| {
            let told = Told { account: self, invoice: Some(invoice), today: *from };
            matches!(told.of(|terms| terms.interest.as_ref()), Some((_, Charges::None)))
        });
        free.collect()
    }

    /// Whether the claim bears interest on `day` if it is in default then: by the terms in force,
    /// unless a person said otherwise.
    pub fn would_bear_interest(&self, invoice: &InvoiceId, day: Date) -> bool {
        let Some(claim) = self.claims.get(invoice) else { return false };
        let currency = claim.invoice.as_ref().map(|invoice| invoice.amount.currency);
        let holds = |one: &&InterestTerms| Some(one.currency) == currency && one.from <= day;
        let Some(terms) = self.interest.iter().rfind(holds) else { return false };
        let kind = self.profile().map_or(DebtorKind::Consumer, |debtor| debtor.kind);
        lawful_rate(claim, terms, kind).is_some()
            && !self.interest_free(invoice).iter().any(|(from, to)| (*from..=*to).contains(&day))
    }

    /// Why a message that was decided does not go out after all: a person said something else
    /// in between.
    pub(crate) fn overruled(
        &self,
        policy: &Policy,
        decided: &NoticeDecided,
        today: Date,
    ) -> Option<Suppression> {
        if self.overrides.is_empty() {
            return None;
        }
        let everybody = policy.personas.last()?;
        for part in &decided.claims {
            let own = Effective::of(self, policy, everybody, Some(&part.invoice), today);
            let at = policy.steps.iter().position(|step| step.name == part.step);
            if at.is_some_and(|at| own.stops(policy, at).is_some()) {
                return Some(Suppression::Person);
            }
            let told = Told { account: self, invoice: Some(&part.invoice), today };
            let channels = told.of(|terms| terms.channels.as_ref());
            if channels.is_some_and(|(_, channels)| !channels.contains(&decided.channel)) {
                return Some(Suppression::ChannelGone);
            }
            let mut charged = decided.fee.iter().chain(&decided.lump_sums);
            if !own.fees && charged.any(|(invoice, _)| *invoice == part.invoice) {
                return Some(Suppression::AmountsChanged);
            }
        }
        None
    }
}
