//! A person decides differently for one account or one claim, and takes that back.

use jiff::civil::Date;

use super::{Raised, Refusal, handoff::recall, settlement::follow_up};
use crate::{
    account::PlacementState,
    event::{AccountEvent, Suppression},
    ids::*,
    money::Decimal,
    overrides::{Effective, Override, OverrideTerms},
    policy::{Policy, Rules},
};

/// Sets an override; `asked` is as it would be kept.
pub(super) fn set(raised: &mut Raised<'_>, asked: &Override, rules: &Rules) -> Result<(), Refusal> {
    if raised.account.overrides.iter().any(|one| one.id == asked.id) {
        return Ok(());
    }
    if asked.until.is_some_and(|until| until < asked.on) {
        return Err(Refusal::DayPassed);
    }
    let currency = match &asked.invoice {
        None => None,
        Some(invoice) => {
            let claim = raised.account.claims.get(invoice);
            let currency = claim.and_then(|claim| claim.currency());
            Some(currency.ok_or(Refusal::UnknownClaim(invoice.clone()))?)
        }
    };
    let policies = rules.policies.values().map(|policy| &**policy);
    let policies: Vec<&Policy> =
        policies.filter(|policy| currency.is_none_or(|own| policy.currency == own)).collect();
    sensible(&asked.terms, &policies)?;
    raised.raise(AccountEvent::OverrideSet(asked.clone()));
    recall(raised, |account, placement| {
        let waits = placement.state == PlacementState::Due;
        let stopped = placement.claims.iter().any(|invoice| {
            let claim = account.claims.get(invoice).and_then(|claim| claim.currency());
            let policy = claim.and_then(|currency| rules.policy(currency));
            policy
                .is_some_and(|policy| stopped(account, policy, invoice, &placement.step, asked.on))
        });
        (waits && stopped).then_some(Suppression::Person)
    });
    follow_up(raised, rules, asked.on);
    Ok(())
}

/// Lifts an override; one that is over already stays as it is.
pub(super) fn lift(
    raised: &mut Raised<'_>,
    id: &OverrideId,
    by: &str,
    rules: &Rules,
    on: Date,
) -> Result<(), Refusal> {
    let known = raised.account.overrides.iter().find(|one| one.id == *id);
    let known = known.ok_or(Refusal::NoSuchOverride(id.clone()))?;
    if known.holds_on(on) {
        let (id, by) = (id.clone(), by.to_owned());
        raised.raise(AccountEvent::OverrideLifted { id, by, on });
        follow_up(raised, rules, on);
    }
    Ok(())
}

/// Whether a person keeps the claim from taking `step`.
pub(super) fn stopped(
    account: &crate::account::Account,
    policy: &Policy,
    invoice: &InvoiceId,
    step: &StepName,
    today: Date,
) -> bool {
    let (Some(everybody), false) = (policy.personas.last(), account.overrides.is_empty()) else {
        return false;
    };
    let own = Effective::of(account, policy, everybody, Some(invoice), today);
    let at = policy.steps.iter().position(|one| one.name == *step);
    at.is_some_and(|at| own.stops(policy, at).is_some())
}

/// Whether the terms say something, and name what there is.
fn sensible(terms: &OverrideTerms, policies: &[&Policy]) -> Result<(), Refusal> {
    if terms.is_empty() {
        return Err(Refusal::EmptyOverride);
    }
    let names = |of: &dyn Fn(&Policy) -> Vec<String>| {
        let mut names: Vec<String> = policies.iter().flat_map(|policy| of(policy)).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let known = |kind: &'static str, name: Option<&str>, of: &dyn Fn(&Policy) -> Vec<String>| {
        let names = names(of);
        match name.filter(|name| !names.iter().any(|known| known == name)) {
            Some(name) => {
                Err(Refusal::NotInPolicy { kind, name: name.to_owned(), known: names.join(", ") })
            }
            None => Ok(()),
        }
    };
    known("persona", terms.persona.as_ref().map(PersonaName::as_str), &|policy| {
        policy.personas.iter().map(|one| one.name.to_string()).collect()
    })?;
    known("step", terms.no_further_than.as_ref().map(StepName::as_str), &|policy| {
        policy.steps.iter().map(|one| one.name.to_string()).collect()
    })?;
    known("language", terms.language.as_deref(), &|policy| policy.languages.clone())?;
    if terms.channels.as_ref().is_some_and(Vec::is_empty)
        || terms.pay_with.as_ref().is_some_and(Vec::is_empty)
    {
        return Err(Refusal::EmptyOverride);
    }
    if let Some(pace) = terms.pace
        && !(Decimal::new(1, 1)..=Decimal::TEN).contains(&pace)
    {
        return Err(Refusal::NoPace(pace));
    }
    if let Some(minimum) = terms.minimum.filter(Decimal::is_sign_negative) {
        return Err(Refusal::NoMinimum(minimum));
    }
    Ok(())
}
