//! Which policy is in force for a creditor and currency, as the data know it.
//!
//! The data keep it, with the sources of each version, so that a changed file changes nothing by
//! itself. A policy gets in force in one of two ways:
//!
//! - **from the folder**: where none is in force yet, the folder's is, from the first start on; and
//!   as long as nobody has used `policy apply` for that creditor and currency, a start of the server
//!   takes over what the folder has by then. That is the way of a small shop: a new `version` and a
//!   restart.
//! - **applied**: from the first `kulanz policy apply` on, only another `apply` changes it. What else
//!   stands in the folder is told at each start and not used.
//!
//! Commands that only look, and orders, go by what is in force; they never change it.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use kulanz_domain::{
    ids::CreditorId,
    policy::{Policy, Rules},
};
use kulanz_engine::token_hash;
use kulanz_policies::{Creditors, Loaded, LoadedPolicy};
use kulanz_store::{PolicyRow, Store};
use serde::{Deserialize, Serialize};

/// Where the data keep it.
const KEY: &str = "in_force";

/// A policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Name.
    pub policy: String,
    /// Version.
    pub version: u32,
    /// SHA-256 over its files.
    pub hash: String,
    /// Since when.
    pub since: Timestamp,
    /// Who applied it; absent: it was taken from the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_by: Option<String>,
}

/// By creditor and currency, `lindenmoor/EUR`.
pub type Slots = BTreeMap<String, InForce>;

/// The name of a creditor's currency in [`Slots`].
pub fn slot(creditor: &CreditorId, currency: &str) -> String {
    format!("{creditor}/{currency}")
}

/// What the data say is in force.
pub async fn read(store: &dyn Store) -> Result<Slots> {
    parse(store.meta(KEY.to_owned()).await?.as_deref())
}

/// The same with the text that [`write()`] wants to hear again.
pub async fn read_to_change(store: &dyn Store) -> Result<(Option<String>, Slots)> {
    let text = store.meta(KEY.to_owned()).await?;
    let slots = parse(text.as_deref())?;
    Ok((text, slots))
}

fn parse(text: Option<&str>) -> Result<Slots> {
    match text {
        Some(text) => serde_json::from_str(text).context("what is in force cannot be read"),
        None => Ok(Slots::new()),
    }
}

/// Keeps what is in force, unless another instance has changed it since `before` was read;
/// whether that went well.
pub async fn write(store: &dyn Store, before: Option<&str>, slots: &Slots) -> Result<bool> {
    let text = serde_json::to_string(slots)?;
    if before == Some(text.as_str()) {
        return Ok(true);
    }
    let before = before.map(str::to_owned);
    Ok(store.swap_meta(KEY.to_owned(), before, Some(text)).await?)
}

/// Whether a start of the server takes over what the folder has, where nothing was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It does: who serves decides by it from now on.
    Folder,
    /// It does not: what is in force stays.
    Nothing,
}

/// What holds for an installation.
pub struct Settled {
    /// The folder's creditors, with the policies in force. `policies` are those in force and those
    /// of the folder that may come into force without being applied.
    pub loaded: Loaded,
    /// By creditor and currency.
    pub slots: Slots,
    /// What the data said before.
    pub before: Option<String>,
    /// Sentences about files that are not in force, and about those that have just come into it.
    pub said: Vec<String>,
}

/// Brings together what the folder has and what the data say is in force. Writes nothing.
pub async fn settle(
    store: &dyn Store,
    mut loaded: Loaded,
    now: Timestamp,
    take: Take,
) -> Result<Settled> {
    let (text, before) = read_to_change(store).await?;
    let (mut slots, mut said, mut policies) = (Slots::new(), Vec::new(), Vec::new());
    let mut all = BTreeMap::new();
    for (creditor, rules) in &loaded.rules {
        let mut found: BTreeMap<&'static str, Arc<Policy>> = BTreeMap::new();
        let prefix = slot(creditor, "");
        let known =
            before.iter().filter_map(|(name, one)| Some((name.strip_prefix(&prefix)?, one)));
        let known: BTreeMap<&str, &InForce> = known.collect();
        for (code, policy) in &rules.policies {
            let folder = chosen(&loaded, policy)?;
            let held = known.get(code).copied();
            let keep = held.filter(|one| one.applied_by.is_some() || take == Take::Nothing);
            let same = held.is_some_and(|one| is(one, folder));
            let (policy, record) = match (held, keep) {
                (Some(held), _) if same => (Arc::clone(policy), held.clone()),
                (_, Some(kept)) => {
                    if kept.applied_by.is_some() && take == Take::Folder {
                        said.push(not_in_force(folder, kept));
                    }
                    let kept_policy = registered(store, kept, &loaded.creditors).await?;
                    let policy = Arc::clone(&kept_policy.policy);
                    policies.push(kept_policy);
                    (policy, kept.clone())
                }
                (before, None) => {
                    if let Some(before) = before {
                        if store.is_shared() {
                            not_older(folder, before)?;
                        }
                        said.push(taken_over(folder, before));
                    }
                    (Arc::clone(policy), of_folder(folder, now))
                }
            };
            slots.insert(slot(creditor, code), record);
            found.insert(code, policy);
        }
        for (code, kept) in known {
            if slots.contains_key(&slot(creditor, code)) {
                continue; // the folder has one as well
            }
            if kept.applied_by.is_none() && take == Take::Folder {
                said.push(format!(
                    "policy {} version {} is not in the folder any more: nothing is in force for \
                     {creditor} in {code}",
                    kept.policy, kept.version
                ));
                continue;
            }
            let policy = registered(store, kept, &loaded.creditors).await?;
            slots.insert(slot(creditor, code), kept.clone());
            found.insert(policy.policy.currency.code(), Arc::clone(&policy.policy));
            policies.push(policy);
        }
        let creditor_rules = Rules { creditor: rules.creditor.clone(), policies: found };
        all.insert(creditor.clone(), Arc::new(creditor_rules));
    }
    // What the folder has beside them may come into force by its day, where nothing was applied.
    let applied = |policy: &LoadedPolicy| {
        let name = slot(&policy.policy.creditor, policy.policy.currency.code());
        slots.get(&name).is_some_and(|one| one.applied_by.is_some() || take == Take::Nothing)
    };
    let in_force = |policy: &LoadedPolicy| slots.values().any(|one| is(one, policy));
    let folder = std::mem::take(&mut loaded.policies).into_iter();
    policies.extend(folder.filter(|policy| in_force(policy) || !applied(policy)));
    let loaded = Loaded { rules: all, policies, ..loaded };
    Ok(Settled { loaded, slots, before: text, said })
}

/// The policy of the folder that its rules chose.
fn chosen<'a>(loaded: &'a Loaded, policy: &Arc<Policy>) -> Result<&'a LoadedPolicy> {
    let found = loaded.policies.iter().find(|one| Arc::ptr_eq(&one.policy, policy));
    found.with_context(|| format!("policy {} has no files", policy.reference.name))
}

fn is(record: &InForce, policy: &LoadedPolicy) -> bool {
    let reference = &policy.policy.reference;
    record.policy == reference.name.as_str()
        && record.version == reference.version
        && record.hash == policy.hash_full
}

fn of_folder(policy: &LoadedPolicy, now: Timestamp) -> InForce {
    let reference = &policy.policy.reference;
    InForce {
        policy: reference.name.to_string(),
        version: reference.version,
        hash: policy.hash_full.clone(),
        since: now,
        applied_by: None,
    }
}

fn not_in_force(folder: &LoadedPolicy, kept: &InForce) -> String {
    let (reference, dir) = (&folder.policy.reference, folder.dir.display());
    let what = match kept.policy == reference.name.as_str() && kept.version == reference.version {
        true => format!("{dir} has other content than the version {} that", kept.version),
        false => format!("{dir} has version {} of {}, which", reference.version, reference.name),
    };
    let (policy, version) = (&kept.policy, kept.version);
    match what.ends_with("which") {
        true => format!(
            "{what} is not in force: version {version} of {policy} is. See what it changes with \
             `kulanz policy plan {dir}`, then put it in force with `kulanz policy apply`"
        ),
        false => format!(
            "{what} is in force; the content that was applied counts. Give the changed files a new \
             version, then `kulanz policy plan {dir}`"
        ),
    }
}

fn taken_over(folder: &LoadedPolicy, before: &InForce) -> String {
    let reference = &folder.policy.reference;
    format!(
        "policy {} version {} is in force since this start, in place of {} version {}",
        reference.name, reference.version, before.policy, before.version
    )
}

/// Refuses a folder that is behind the data: of several instances one would bring back what the
/// others have left.
fn not_older(folder: &LoadedPolicy, before: &InForce) -> Result<()> {
    let reference = &folder.policy.reference;
    if before.policy == reference.name.as_str() && reference.version < before.version {
        bail!(
            "{} has version {} of {}, and version {} is in force: bring the folder up to date. To go \
             back to what it was, give it a new version",
            folder.dir.display(),
            reference.version,
            reference.name,
            before.version
        );
    }
    Ok(())
}

/// A policy as it was registered.
pub async fn registered(
    store: &dyn Store,
    record: &InForce,
    creditors: &Creditors,
) -> Result<LoadedPolicy> {
    let (name, version) = (&record.policy, record.version);
    let row = store.policy(name.clone(), version).await?;
    let row = row.with_context(|| {
        format!("policy {name} version {version} is in force and its files are not in the data")
    })?;
    if row.hash != record.hash {
        bail!("policy {name} version {version} is in force with other files than are in the data");
    }
    from_sources(serde_json::from_str(&row.sources)?, name, version, creditors)
}

/// Compiles sources; findings are printed.
pub fn from_sources(
    sources: BTreeMap<String, String>,
    name: &str,
    version: u32,
    creditors: &Creditors,
) -> Result<LoadedPolicy> {
    let label = format!("{name} version {version}");
    kulanz_policies::load_registered(&label, &sources, creditors).map_err(|found| {
        let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
        errors.for_each(|error| eprint!("{}", error.render(crate::colour())));
        anyhow::anyhow!("the files of policy {name} version {version} cannot be used any more")
    })
}

/// Keeps a policy's files beside the data; the same version with other content is refused.
pub async fn register(store: &dyn Store, policy: &LoadedPolicy, now: Timestamp) -> Result<()> {
    let reference = &policy.policy.reference;
    let row = PolicyRow {
        name: reference.name.to_string(),
        version: reference.version,
        hash: policy.hash_full.clone(),
        sources: serde_json::to_string(&policy.sources)?,
        registered_at: now,
    };
    let registered = store.register_policy(row).await?;
    if registered.hash != policy.hash_full {
        return Err(other_content(policy, registered.registered_at));
    }
    Ok(())
}

/// The refusal of files that changed under a version that is registered.
pub fn other_content(policy: &LoadedPolicy, registered_at: Timestamp) -> anyhow::Error {
    let reference = &policy.policy.reference;
    anyhow::anyhow!(
        "policy {} version {} was registered on {registered_at} with other content. Give the \
         changed files in {} a new version",
        reference.name,
        reference.version,
        policy.dir.display()
    )
}

/// What tells two sets of rules apart: creditors, policies in force, whose gateway takes the messages,
/// and the release, which may decide otherwise by the same files.
pub fn fingerprint<'a>(
    rules: impl IntoIterator<Item = (&'a CreditorId, &'a Arc<Rules>)>,
    creditors: &Creditors,
) -> String {
    let mut all: Vec<_> = rules.into_iter().collect();
    all.sort_by_key(|(creditor, _)| *creditor);
    let mut text = env!("CARGO_PKG_VERSION").to_owned();
    for (id, rules) in all {
        let by_kafka = creditors.get(id).map(|file| &file.by_kafka);
        let policies: Vec<_> = rules.policies.values().map(|policy| &policy.reference).collect();
        text.push_str(&format!("\n{:?} {policies:?} {by_kafka:?}", rules.creditor));
    }
    hex(&token_hash(&text))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use kulanz_domain::fact::Channel;

    use super::*;

    #[test]
    fn whose_gateway_takes_the_messages_tells_rules_apart() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        let mut loaded = kulanz_policies::load(&folder, jiff::civil::date(2026, 3, 2)).unwrap();
        let ours = fingerprint(&loaded.rules, &loaded.creditors);
        assert_eq!(ours, fingerprint(&loaded.rules, &loaded.creditors));
        for file in loaded.creditors.values_mut() {
            file.by_kafka.push(Channel::Sms);
        }
        assert_ne!(ours, fingerprint(&loaded.rules, &loaded.creditors));
    }
}
