//! An account and the rules at a moment: what was known then, by the policy that was in force.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result, bail};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kulanz_domain::{
    Account, AccountEvent,
    calendar::day_in,
    decision::play_on,
    ids::AccountId,
    policy::{ArmTaken, Policy, PolicyRef, Rules},
};
use kulanz_policies::{CreditorFile, Creditors, compile_registered, load_creditors};
use kulanz_store::{Store, StoredEvent};

use super::{
    moment::{self, Moment},
    words,
};
use crate::{
    data,
    house::{Places, count, load_policies, reachable},
    in_force::{self, Take},
    law::rates::Installed,
    settings::Settings,
};

/// By what an account is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// By all that is known, with the policies of the folder.
    Now,
    /// By what was known at a moment of the past, with the policies in force then.
    Then,
    /// By what would be so at a moment to come if nobody said anything.
    Supposed,
}

/// An account at a moment.
pub struct Then {
    pub account: Account,
    pub rules: Arc<Rules>,
    pub at: Timestamp,
    pub known: Known,
    /// Events that the account comes from, and how many there are today.
    pub events: usize,
    pub events_in_all: usize,
    /// What a reader has to know about all of it.
    pub notes: Vec<String>,
    /// What would happen until a moment to come.
    pub on_the_way: Vec<(Timestamp, AccountEvent)>,
}

/// Looks for the account as of `at`; as it stands where that is left out.
pub async fn find(places: &Places, id: &AccountId, at: Option<&str>) -> Result<Then> {
    let store = data::read(places).await?;
    let events = store.stream(id.clone(), 0).await?;
    let Some(last) = events.last() else { bail!("nothing is known of {id}") };
    // The clock of a demo may be ahead of the machine's.
    let now = Timestamp::now().max(last.recorded_at);
    let creditors = creditors(places)?;
    let Some(creditor) = creditors.get(&id.creditor) else {
        bail!("there is no file policies/creditors/{}.yaml", id.creditor);
    };
    let zone = creditor.creditor.zone.clone();
    let asked = at.map(|text| moment::read(text, &zone)).transpose()?;
    let house = Installation { places, store: &*store, creditors: &creditors, creditor };
    match asked {
        None => house.present(id, &events, now).await,
        Some(Moment::At(at)) if at > now => house.to_come(id, &events, now, at).await,
        Some(Moment::At(at)) => {
            let (known, at) = known_at(&events, at, &zone, id)?;
            house.past(&events, known, at).await
        }
        Some(named) => {
            let (known, at) = known_before(&events, &named)
                .with_context(|| format!("{} was never decided on {id}", name(&named)))?;
            house.past(&events, known, at).await
        }
    }
}

fn name(moment: &Moment) -> String {
    match moment {
        Moment::At(at) => at.to_string(),
        Moment::Notice(notice) => notice.to_string(),
        Moment::Placement(placement) => placement.to_string(),
    }
}

fn creditors(places: &Places) -> Result<Creditors> {
    let folder = places.config.join("policies");
    load_creditors(&folder).map(|(creditors, _)| creditors).map_err(|found| {
        let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
        errors.for_each(|error| eprint!("{}", error.render(crate::colour())));
        anyhow::anyhow!("the creditors in {} cannot be read", folder.display())
    })
}

fn event(stored: &StoredEvent) -> Result<AccountEvent> {
    serde_json::from_str(&stored.payload)
        .with_context(|| format!("event {} of {}", stored.version, stored.account))
}

fn replayed(events: &[StoredEvent]) -> Result<Account> {
    let mut account = Account::default();
    for stored in events {
        account.apply_event(&event(stored)?);
    }
    Ok(account)
}

/// How many of the events were there at `at`. What was decided at that very moment is left out, so
/// that the decision itself is told.
fn known_at(
    events: &[StoredEvent],
    at: Timestamp,
    zone: &TimeZone,
    id: &AccountId,
) -> Result<(usize, Timestamp)> {
    let decides = |stored: &StoredEvent| {
        matches!(&*stored.kind, "NoticeDecided" | "HandoffDue" | "StepTaken")
    };
    let later = |one: &StoredEvent| one.recorded_at > at || one.recorded_at == at && decides(one);
    let known = events.iter().position(later).unwrap_or(events.len());
    if known == 0 {
        let first = events.first().map_or(at, |first| first.recorded_at);
        bail!(
            "nothing was known of {id} then: the first word of it came on {}",
            words::moment(first, zone)
        );
    }
    Ok((known, at))
}

/// How many events there were before a message or a placement was decided, and when that was.
fn known_before(events: &[StoredEvent], named: &Moment) -> Option<(usize, Timestamp)> {
    events.iter().enumerate().find_map(|(place, stored)| {
        let found = match (event(stored).ok()?, named) {
            (AccountEvent::NoticeDecided(decided), Moment::Notice(notice)) => {
                decided.notice == *notice
            }
            (AccountEvent::HandoffDue { placement, .. }, Moment::Placement(asked)) => {
                placement == *asked
            }
            _ => false,
        };
        found.then_some((place, stored.recorded_at))
    })
}

struct Installation<'a> {
    places: &'a Places,
    store: &'a dyn Store,
    creditors: &'a Creditors,
    creditor: &'a CreditorFile,
}

impl Installation<'_> {
    /// The rules as a server on this installation would have them.
    fn equipped(&self, rules: &Arc<Rules>) -> Result<Arc<Rules>> {
        let settings = Settings::read(&self.places.config)?;
        let rules = Installed::read(&self.places.data)?.put_into(rules);
        Ok(reachable(&rules, &settings, self.creditors))
    }

    /// What is in force; with [`Take::Folder`] what would be after a start of the server on `day`.
    async fn rules_on(&self, id: &AccountId, day: Date, take: Take) -> Result<Arc<Rules>> {
        let folder = load_policies(&self.places.config, day)?;
        let settled = in_force::settle(self.store, folder, Timestamp::now(), take).await?;
        let rules =
            settled.loaded.rules.get(&id.creditor).context("the creditor has gone meanwhile")?;
        Ok(self.equipped(rules)?.of(id))
    }

    async fn present(
        &self,
        id: &AccountId,
        events: &[StoredEvent],
        now: Timestamp,
    ) -> Result<Then> {
        let today = day_in(now, &self.creditor.creditor.zone);
        Ok(Then {
            account: replayed(events)?,
            rules: self.rules_on(id, today, Take::Nothing).await?,
            at: now,
            known: Known::Now,
            events: events.len(),
            events_in_all: events.len(),
            notes: Vec::new(),
            on_the_way: Vec::new(),
        })
    }

    async fn to_come(
        &self,
        id: &AccountId,
        events: &[StoredEvent],
        now: Timestamp,
        at: Timestamp,
    ) -> Result<Then> {
        let mut then = self.present(id, events, now).await?;
        let zone = self.creditor.creditor.zone.clone();
        let (today, last) = (day_in(now, &zone), day_in(at, &zone));
        let loaded = load_policies(&self.places.config, today)?;
        let of_creditor = loaded.policies.iter().filter(|p| p.policy.creditor == id.creditor);
        let mut changes: Vec<Date> = of_creditor
            .filter_map(|policy| policy.valid_from)
            .filter(|day| today < *day && *day <= last)
            .collect();
        changes.sort_unstable();
        changes.dedup();
        let mut from = now;
        for day in changes {
            let until = day.to_zoned(zone.clone())?.timestamp();
            then.play(from, until)?;
            then.rules = self.rules_on(id, day, Take::Folder).await?;
            from = until;
        }
        then.play(from, at)?;
        then.at = at;
        then.known = Known::Supposed;
        let sent = |(_, event): &&(Timestamp, AccountEvent)| {
            use AccountEvent as E;
            matches!(event, E::NoticeDecided(_) | E::HandoffDue { .. } | E::StepTaken { .. })
        };
        let until_then = match then.on_the_way.iter().filter(sent).count() {
            0 => "Nothing would happen by itself until then.",
            _ => "By itself would happen until then:",
        };
        then.notes.push(format!(
            "This moment is to come: told as if nobody said or paid anything before it. {until_then}"
        ));
        Ok(then)
    }

    async fn past(&self, events: &[StoredEvent], known: usize, at: Timestamp) -> Result<Then> {
        let zone = &self.creditor.creditor.zone;
        let before = events.get(..known).unwrap_or(events);
        let policies = self.policies_met(before, at).await?;
        let mut notes = vec![format!(
            "Told by what was known then, {} of {}, and by the policy as it was kept; the \
             creditor's file and the settings are today's.",
            count(known, "event"),
            events.len()
        )];
        if policies.is_empty() {
            notes.push(format!(
                "No policy had looked at the account by {}: none is named here.",
                words::moment(at, zone)
            ));
        }
        let rules = Rules { creditor: self.creditor.creditor.clone(), policies };
        Ok(Then {
            account: replayed(before)?,
            rules: self.equipped(&Arc::new(rules))?,
            at,
            known: Known::Then,
            events: known,
            events_in_all: events.len(),
            notes,
            on_the_way: Vec::new(),
        })
    }

    /// The policies that had last met the account, one a currency, from their kept sources, and
    /// in the arms of experiments that were recorded then.
    async fn policies_met(
        &self,
        events: &[StoredEvent],
        at: Timestamp,
    ) -> Result<BTreeMap<&'static str, Arc<Policy>>> {
        let mut met: Vec<(PolicyRef, Vec<ArmTaken>)> = Vec::new();
        for stored in events.iter().filter(|stored| stored.kind == "PolicyMet") {
            if let AccountEvent::PolicyMet { policy, arms, .. } = event(stored)? {
                met.retain(|(earlier, _)| earlier.name != policy.name);
                met.push((policy, arms));
            }
        }
        let mut policies = BTreeMap::new();
        for (reference, arms) in met.iter().rev() {
            let policy = self.registered(reference, at).await?;
            let variant = policy.trials.as_ref().and_then(|trials| trials.in_arms(arms));
            let policy = variant.map_or_else(|| Arc::clone(&policy), Arc::clone);
            policies.entry(policy.currency.code()).or_insert(policy);
        }
        Ok(policies)
    }

    async fn registered(&self, reference: &PolicyRef, at: Timestamp) -> Result<Arc<Policy>> {
        let zone = &self.creditor.creditor.zone;
        let PolicyRef { name, version, hash } = reference;
        let called = format!("policy {name} version {version} ({hash})");
        let row = self.store.policy(name.to_string(), *version).await?;
        let Some(row) = row else {
            bail!(
                "{called} decided on {}, and its sources are not registered in {}: what it would \
                 say cannot be told",
                words::moment(at, zone),
                self.places.data.display()
            );
        };
        let sources: BTreeMap<String, String> = serde_json::from_str(&row.sources)
            .with_context(|| format!("the kept sources of {called}"))?;
        let compiled = compile_registered(&format!("{name}@{version}"), &sources, self.creditors);
        let policy = compiled.map_err(|found| {
            found.iter().for_each(|finding| eprint!("{}", finding.render(crate::colour())));
            anyhow::anyhow!("the kept sources of {called} cannot be used by this release")
        })?;
        if policy.reference != *reference {
            bail!(
                "the sources that are registered for policy {name} version {version} are others \
                 ({}) than those that decided ({hash})",
                policy.reference.hash
            );
        }
        Ok(policy)
    }
}

impl Then {
    fn play(&mut self, from: Timestamp, until: Timestamp) -> Result<()> {
        let played = play_on(&self.account, &self.rules, from, until)?;
        self.account = played.account;
        self.on_the_way.extend(played.events);
        Ok(())
    }
}
