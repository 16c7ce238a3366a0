//! `kulanz policy apply`: puts a planned policy in force, where the plan still says what will happen.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use kulanz_domain::{
    calendar::day_in,
    ids::CreditorId,
    money::{Currency, Decimal},
};
use kulanz_engine::plan::{Report, Side};
use serde::{Deserialize, Serialize};

use super::{Plan, Planner, figures::channel_word};
use crate::{
    client::{self, Giver},
    house::{House, Places, sendable},
    in_force::{self, InForce, slot},
    orders::{Order, Outcome},
};

/// A policy to be put in force, with all of its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// The plan that showed what it changes.
    pub plan: String,
    /// For whose claims.
    pub creditor: CreditorId,
    /// In which currency.
    pub currency: Currency,
    /// Name.
    pub policy: String,
    /// Version.
    pub version: u32,
    /// SHA-256 over its files.
    pub hash: String,
    /// That of the policy that it takes the place of; absent: there is none.
    pub replaces: Option<String>,
    /// Its files by their names.
    pub sources: BTreeMap<String, String>,
}

/// Applies the plan `named`, an id or a file. `tolerance` is in percent of the messages.
pub async fn apply(
    places: &Places,
    named: &str,
    tolerance: Decimal,
    giver: Giver,
) -> Result<ExitCode> {
    let plan = Plan::read(&places.data, named)?;
    let planner = Planner::new(places, &plan.dir).await.with_context(|| {
        format!("plan {} cannot be looked at again: nothing was put in force", plan.id)
    })?;
    let again = format!("plan again: kulanz policy plan {}", plan.dir.display());
    let found = super::Version::of(&planner.candidate);
    if found.hash != plan.candidate.hash {
        bail!(
            "the files in {} changed since the plan {}, which was made for other content; {again}",
            plan.dir.display(),
            plan.id
        );
    }
    let in_force = planner.in_force.as_ref().map(|(record, _)| record.clone());
    let planned = plan.in_force.as_ref().map(|version| &version.hash);
    if in_force.as_ref().map(|record| &record.hash) != planned {
        let now = in_force.map_or_else(
            || "none is".to_owned(),
            |record| format!("version {} of {} is", record.version, record.policy),
        );
        bail!("the policy in force changed since the plan {}: {now}; {again}", plan.id);
    }
    let applied = Applied {
        plan: plan.id.clone(),
        creditor: plan.creditor.clone(),
        currency: plan.currency,
        policy: plan.candidate.policy.clone(),
        version: plan.candidate.version,
        hash: plan.candidate.hash.clone(),
        replaces: planned.cloned(),
        sources: planner.candidate.sources.clone(),
    };
    let list = plan.report.new.named.len();
    let fresh = planner.plan(plan.days, list).await?;
    let drifted = drift(&plan.report, &fresh.report, tolerance);
    if !drifted.is_empty() {
        bail!(
            "a fresh plan differs by more than {}% of the messages from the plan {}:\n  {}\n{again}",
            tolerance.normalize(),
            plan.id,
            drifted.join("\n  ")
        );
    }
    client::give(places, Order::PutInForce(Box::new(applied)), giver).await?;
    Ok(ExitCode::SUCCESS)
}

/// In what two plans differ by more than `percent` of the first one's messages.
fn drift(planned: &Report, fresh: &Report, percent: Decimal) -> Vec<String> {
    let messages = planned.candidate.messages.max(planned.in_force.messages);
    let allowed = percent * Decimal::from(messages);
    let too_far = |a: u64, b: u64| Decimal::from(a.abs_diff(b)) * Decimal::ONE_HUNDRED > allowed;
    let mut said = Vec::new();
    let mut together = 0;
    let (old, new) = (by_step(&planned.candidate), by_step(&fresh.candidate));
    let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let of = |map: &BTreeMap<String, u64>| map.get(key).copied().unwrap_or(0);
        let (before, after) = (of(&old), of(&new));
        together += before.abs_diff(after);
        if too_far(before, after) {
            said.push(format!("{key}: {before} were planned, {after} it would be now"));
        }
    }
    if said.is_empty() && too_far(0, together) {
        said.push(format!("{together} messages of several steps and channels"));
    }
    for (what, before, after) in [
        ("steps that are new", planned.new.count, fresh.new.count),
        ("steps that are gone", planned.gone.count, fresh.gone.count),
        ("steps that change", planned.changed.count, fresh.changed.count),
        ("people affected", planned.affected, fresh.affected),
        (
            "claims for agencies",
            planned.candidate.handoffs.values().sum(),
            fresh.candidate.handoffs.values().sum(),
        ),
    ] {
        if too_far(before, after) {
            said.push(format!("{what}: {before} were planned, {after} it would be now"));
        }
    }
    said
}

fn by_step(side: &Side) -> BTreeMap<String, u64> {
    let all = side.notices.iter();
    let named = all.flat_map(|(step, channels)| {
        channels
            .iter()
            .map(move |(channel, count)| (format!("{step} by {}", channel_word(*channel)), *count))
    });
    named.collect()
}

/// Puts a policy in force: from the next start of a server on. Whoever has the data does it.
pub async fn put_in_force(house: &House, applied: Applied, person: &str) -> Result<Outcome> {
    let store = house.engine.store();
    let now = house.engine.clock().now();
    let Applied { plan, creditor, currency, policy: name, version, hash, replaces, sources } =
        applied;
    let creditors = &house.loaded.creditors;
    let mut policy = in_force::from_sources(sources, &name, version, creditors)?;
    policy.dir = PathBuf::from(&name);
    let compiled = &policy.policy;
    let reference = &compiled.reference;
    if (policy.hash_full.as_str(), reference.name.as_str(), reference.version)
        != (hash.as_str(), name.as_str(), version)
        || (&compiled.creditor, compiled.currency) != (&creditor, currency)
    {
        bail!("the files are not those of policy {name} version {version} for {creditor}");
    }
    let zone = house.engine.creditor_rules(&creditor).map(|rules| rules.creditor.zone.clone());
    let zone = zone.with_context(|| format!("there is no creditor {creditor}"))?;
    if let Some(from) = policy.valid_from.filter(|from| *from > day_in(now, &zone)) {
        bail!("policy {name} version {version} is valid from {from}: apply it then");
    }
    let (before, mut slots) = in_force::read_to_change(&**store).await?;
    let place = slot(&creditor, currency.code());
    let by = format!("{person}, plan {plan}");
    let said = vec![format!(
        "policy {name} version {version} is in force for {creditor} in {} from the next start of \
         `kulanz serve` on. A server that runs goes on with what it started with: restart it",
        currency.code()
    )];
    let held = slots.get(&place);
    if held.is_some_and(|it| it.hash == hash && it.applied_by.as_ref() == Some(&by)) {
        // By the same order, whose answer was lost.
        return Ok(Outcome { said, events: Vec::new() });
    }
    if held.map(|record| &record.hash) != replaces.as_ref() {
        bail!("the policy in force changed since plan {plan}; plan again");
    }
    sendable(&house.loaded, &policy)?;
    in_force::register(&**store, &policy, now).await?;
    let record = InForce { policy: name.clone(), version, hash, since: now, applied_by: Some(by) };
    slots.insert(place, record);
    if !in_force::write(&**store, before.as_deref(), &slots).await? {
        bail!("another instance changed what is in force at this moment; plan again");
    }
    tracing::info!(policy = %name, version, plan, "a policy was put in force");
    Ok(Outcome { said, events: Vec::new() })
}

/// `2%`, or `2`.
pub fn percent(text: &str) -> Result<Decimal, String> {
    let number = text.trim().trim_end_matches('%');
    let parsed = Decimal::from_str_exact(number).ok();
    let fits = parsed.filter(|one| (Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(one));
    fits.ok_or_else(|| format!("`{text}` is no share: write it as 2%"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kulanz_domain::fact::Channel;

    use super::*;

    fn report(by_email: u64, by_sms: u64) -> Report {
        let mut report = Report::default();
        let channels = BTreeMap::from([(Channel::Email, by_email), (Channel::Sms, by_sms)]);
        report.candidate.notices.insert("reminder".parse().unwrap(), channels);
        report.candidate.messages = by_email + by_sms;
        report.in_force = report.candidate.clone();
        report
    }

    #[test]
    fn a_plan_holds_while_a_fresh_one_stays_within_the_tolerance() {
        let two = percent("2%").unwrap();
        let planned = report(900, 100);
        assert!(drift(&planned, &report(905, 105), two).is_empty());
        assert_eq!(
            drift(&planned, &report(921, 100), two),
            ["reminder by e-mail: 900 were planned, 921 it would be now"]
        );
        // Each stays within it, both together do not.
        let both = drift(&planned, &report(915, 85), two);
        assert_eq!(both, ["30 messages of several steps and channels"]);
        let mut gone = report(900, 100);
        gone.gone.count = 21;
        assert_eq!(drift(&planned, &gone, two).len(), 1);
        assert!(drift(&planned, &gone, percent("3").unwrap()).is_empty());
    }

    #[test]
    fn a_share_is_between_nothing_and_all() {
        assert_eq!(percent("0.5%").unwrap(), Decimal::new(5, 1));
        for wrong in ["-1%", "101%", "two", ""] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
