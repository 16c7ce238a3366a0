//! Folders of policies and creditors, read, compiled and checked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::civil::Date;
use kulanz_domain::{
    ids::CreditorId,
    policy::{LanguageChoice, Policy, Rules},
};
use sha2::{Digest, Sha256};

use crate::{
    check::{self, Subject},
    compile,
    context::{Context, short},
    creditor::{self, CreditorFile},
    diagnostic::{Diagnostic, Place, Severity, Source, did_you_mean},
    file::policy::PolicyDoc,
    templates::{Templates, files},
    yaml,
};

/// The file in a policy's folder.
pub(crate) const POLICY: &str = "policy.yaml";
/// The folder of creditors beside those of policies.
pub(crate) const CREDITORS: &str = "creditors";

/// Creditors by id.
pub type Creditors = BTreeMap<CreditorId, CreditorFile>;

/// What was found, by file and line.
pub type Findings = Vec<Diagnostic>;

/// Everything in a folder of policies.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Creditors by id.
    pub creditors: Creditors,
    /// Each creditor with the policies in force; a creditor without a policy has empty rules.
    pub rules: BTreeMap<CreditorId, Arc<Rules>>,
    /// All policies, in force or not, by folder.
    pub policies: Vec<LoadedPolicy>,
    /// Warnings and notes; no errors.
    pub diagnostics: Vec<Diagnostic>,
}

/// A policy with its files.
#[derive(Debug, Clone)]
pub struct LoadedPolicy {
    /// As it is evaluated.
    pub policy: Arc<Policy>,
    /// Text of `policy.yaml` and all templates by their name in the folder, `/` between parts.
    pub sources: BTreeMap<String, String>,
    /// SHA-256 over the sources, 64 hex digits.
    pub hash_full: String,
    /// Its texts.
    pub templates: Templates,
    /// Its folder.
    pub dir: PathBuf,
    /// The first day on which it is in force; absent: always.
    pub valid_from: Option<Date>,
    /// Where `policy:` stands, for findings about it.
    pub(crate) place: (Source, Place),
    /// Where its languages stand.
    pub(crate) languages_at: Place,
}

impl LoadedPolicy {
    /// A warning for each language that debtors read and that they will not get: `readers` are the
    /// numbers of debtors by language (BCP 47).
    pub fn missing_languages(&self, readers: &BTreeMap<String, usize>) -> Findings {
        let policy = &self.policy;
        let asked = policy.personas.iter().any(|one| one.language == LanguageChoice::Debtor);
        let Some(fallback) = policy.languages.first().filter(|_| asked) else { return Vec::new() };
        let known = |wanted: &str| {
            let primary = wanted.split('-').next().unwrap_or(wanted);
            let mut languages = policy.languages.iter();
            languages.any(|have| have.eq_ignore_ascii_case(wanted) || have == primary)
        };
        let missing = readers.iter().filter(|(language, _)| !known(language));
        let findings = missing.map(|(language, number)| {
            let message = match number {
                1 => format!("1 debtor reads `{}`: they will get `{fallback}`", short(language)),
                n => format!("{n} debtors read `{}`: they will get `{fallback}`", short(language)),
            };
            let help = "write the texts in it and list it here, or leave it as it is";
            self.place.0.at(Severity::Warning, self.languages_at, message).help(help)
        });
        findings.collect()
    }
}

/// Reads `dir` (`creditors/*.yaml` and `<policy>/policy.yaml`; a `policies` folder inside of it is
/// looked into where there is one) and puts in force, for each creditor and currency, the policy
/// with the latest `valid_from` that is not after `on`. All findings come back where one of them
/// is an error.
pub fn load(dir: &Path, on: Date) -> Result<Loaded, Findings> {
    let mut found = Vec::new();
    let loaded = gather(dir, on, &mut found);
    settle(loaded, found).map(|(mut loaded, diagnostics)| {
        loaded.diagnostics = diagnostics;
        loaded
    })
}

/// Reads the creditors in `dir`, which is a folder of policies as for [`load`].
pub fn load_creditors(dir: &Path) -> Result<(Creditors, Findings), Findings> {
    let mut found = Vec::new();
    let creditors = read_creditors(&policies_in(dir), &mut found);
    settle(Some(creditors), found)
}

/// Reads the policy in the folder `dir` alone, whenever it is in force, for one of `creditors`.
pub fn load_policy(
    dir: &Path,
    creditors: &Creditors,
) -> Result<(LoadedPolicy, Findings), Findings> {
    let mut found = Vec::new();
    let policy = read_policy(dir, creditors, &mut found);
    settle(policy, found)
}

/// What is in a folder that may have mistakes.
#[derive(Debug)]
pub struct Checked {
    /// All findings.
    pub found: Findings,
    /// Creditors without errors.
    pub creditors: Creditors,
    /// Policies without errors, in force or not.
    pub policies: Vec<LoadedPolicy>,
}

/// Everything about `dir`: a policy's folder (its creditors are looked for beside it) or a folder
/// of policies.
pub fn examine(dir: &Path, on: Date) -> Checked {
    let mut found = Vec::new();
    let (creditors, policies) = if dir.join(POLICY).is_file() {
        let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let beside = if dir.parent().is_none_or(|parent| parent.as_os_str().is_empty()) {
            absolute.parent().map(Path::to_owned)
        } else {
            dir.parent().map(Path::to_owned)
        };
        let creditors =
            beside.map(|beside| read_creditors(&beside, &mut found)).unwrap_or_default();
        let policy = read_policy(dir, &creditors, &mut found);
        (creditors, policy.into_iter().collect())
    } else {
        let gathered = gather(dir, on, &mut found);
        gathered.map_or_else(Default::default, |loaded| (loaded.creditors, loaded.policies))
    };
    Checked { found: sorted(found), creditors, policies }
}

/// All findings about `dir`, as for [`examine`].
pub fn check(dir: &Path, on: Date) -> Findings {
    examine(dir, on).found
}

fn settle<T>(value: Option<T>, found: Vec<Diagnostic>) -> Result<(T, Findings), Findings> {
    let found = sorted(found);
    match value {
        Some(value) if !found.iter().any(Diagnostic::is_error) => Ok((value, found)),
        _ => Err(found),
    }
}

/// By file and line, in the order of the files.
fn sorted(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by(|a, b| {
        (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
    });
    found.dedup();
    found
}

/// `dir`, or the folder `policies` in it.
fn policies_in(dir: &Path) -> PathBuf {
    let inner = dir.join("policies");
    if !dir.join(CREDITORS).is_dir() && inner.is_dir() { inner } else { dir.to_owned() }
}

fn gather(dir: &Path, on: Date, found: &mut Vec<Diagnostic>) -> Option<Loaded> {
    let dir = policies_in(dir);
    if !dir.is_dir() {
        let missing = Diagnostic::about(Severity::Error, &dir, "there is no such folder");
        found.push(missing.help("policies and creditors are looked for in ./policies"));
        return None;
    }
    let creditors = read_creditors(&dir, found);
    let mut policies = Vec::new();
    for folder in files(&dir, found) {
        if folder.is_dir() && folder.join(POLICY).exists() {
            policies.extend(read_policy(&folder, &creditors, found));
        }
    }
    let rules = in_force(&creditors, &policies, on, found);
    Some(Loaded { creditors, rules, policies, diagnostics: Vec::new() })
}

pub(crate) fn read_creditors(dir: &Path, found: &mut Vec<Diagnostic>) -> Creditors {
    let mut creditors = BTreeMap::new();
    for file in files(&dir.join(CREDITORS), found) {
        let extension = file.extension().and_then(|extension| extension.to_str());
        match extension {
            Some("yaml") => {
                if let Some(creditor) = creditor::read(&file, found) {
                    creditors.insert(creditor.id().clone(), creditor);
                }
            }
            Some("yml") => found.push(
                Diagnostic::about(Severity::Warning, &file, "this file is not read")
                    .help("name it .yaml"),
            ),
            _ => {}
        }
    }
    creditors
}

fn read_policy(
    folder: &Path,
    creditors: &Creditors,
    found: &mut Vec<Diagnostic>,
) -> Option<LoadedPolicy> {
    let path = folder.join(POLICY);
    let source = yaml::read(&path).map_err(|e| found.push(*e)).ok()?;
    let templates = Templates::read(&folder.join("templates"), found);
    let doc: PolicyDoc = yaml::parse(&source).map_err(|e| found.push(*e)).ok()?;
    let mut sources = BTreeMap::from([(POLICY.to_owned(), source.text.to_string())]);
    for (key, template) in templates.iter() {
        sources.insert(format!("templates/{}", key.file_name()), template.source.to_string());
    }
    let hash_full = hash(&sources);
    let mut context = Context::new(&source);
    let of_creditor = |finding: &Diagnostic| {
        let file = Path::new(&finding.file);
        finding.is_error()
            && file.file_stem().is_some_and(|stem| stem == doc.creditor.as_str())
            && file.parent().and_then(Path::file_name).is_some_and(|name| name == CREDITORS)
    };
    if found.iter().any(of_creditor) {
        return None; // the creditor's own file says what is wrong
    }
    let compiled = compiled(&doc, creditors, &hash_full, folder, &templates, &mut context);
    let usable = !context.found.iter().any(Diagnostic::is_error);
    found.append(&mut context.found);
    let compiled = compiled.filter(|_| usable)?;
    Some(LoadedPolicy {
        policy: Arc::new(compiled.policy),
        sources,
        hash_full,
        templates,
        dir: folder.to_owned(),
        valid_from: compiled.valid_from,
        place: (source.clone(), doc.policy.place),
        languages_at: doc.languages.place,
    })
}

fn compiled(
    doc: &PolicyDoc,
    creditors: &Creditors,
    hash: &str,
    folder: &Path,
    templates: &Templates,
    context: &mut Context<'_>,
) -> Option<compile::CompiledPolicy> {
    let creditor = named_creditor(doc, creditors, context)?;
    let compiled = compile::compile(doc, creditor, hash, context)?;
    if context.found.iter().any(Diagnostic::is_error) {
        return None; // what follows from an error is not told
    }
    let subject = Subject { doc, compiled: &compiled, creditor, templates, folder };
    check::check(&subject, context);
    Some(compiled)
}

/// The creditor that a policy names, or a finding that there is none.
pub(crate) fn named_creditor<'c>(
    doc: &PolicyDoc,
    creditors: &'c Creditors,
    context: &mut Context<'_>,
) -> Option<&'c CreditorFile> {
    let named = creditors.iter().find(|(id, _)| id.as_str() == doc.creditor.as_str());
    if named.is_none() {
        let name = short(&doc.creditor);
        let near = did_you_mean(&name, creditors.keys().map(CreditorId::as_str));
        let help = near.unwrap_or_else(|| {
            format!(
                "its file would be {CREDITORS}/{name}.yaml beside the policies; is it in order?"
            )
        });
        context.error(doc.creditor.place, format!("there is no creditor `{name}`"), &help);
    }
    named.map(|(_, creditor)| creditor)
}

/// SHA-256 over names and texts, each with its length, sorted by name.
pub(crate) fn hash(sources: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    for (name, text) in sources {
        for part in [name, text] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part.as_bytes());
        }
    }
    format!("{:x}", hasher.finalize())
}

/// Chooses one policy for each creditor and currency.
fn in_force(
    creditors: &Creditors,
    policies: &[LoadedPolicy],
    on: Date,
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<CreditorId, Arc<Rules>> {
    let mut rules: BTreeMap<CreditorId, BTreeMap<&'static str, &LoadedPolicy>> =
        creditors.keys().map(|id| (id.clone(), BTreeMap::new())).collect();
    let from = |policy: &LoadedPolicy| policy.valid_from.unwrap_or(Date::MIN);
    for candidate in policies {
        let policy = &candidate.policy;
        let (source, place) = &candidate.place;
        if from(candidate) > on {
            let message = format!("this policy is in force from {}", from(candidate));
            found.push(source.at(Severity::Note, *place, message));
        }
        let twin =
            policies.iter().take_while(|other| !std::ptr::eq(*other, candidate)).find(|other| {
                other.policy.creditor == policy.creditor
                    && other.policy.currency == policy.currency
                    && from(other) == from(candidate)
            });
        let namesake =
            policies.iter().take_while(|other| !std::ptr::eq(*other, candidate)).find(|other| {
                let (a, b) = (&other.policy.reference, &policy.reference);
                a.name == b.name && a.version == b.version
            });
        if let Some(namesake) = namesake {
            let message = format!(
                "version {} of `{}` is in {} too",
                policy.reference.version,
                policy.reference.name,
                namesake.dir.display()
            );
            let help = "decisions are recorded under name and version: give one another name";
            found.push(source.at(Severity::Error, *place, message).help(help));
            continue;
        }
        if let Some(twin) = twin {
            let message = format!(
                "`{}` and `{}` are both for the {} claims of `{}` from the same day",
                twin.policy.reference.name,
                policy.reference.name,
                policy.currency.code(),
                policy.creditor
            );
            let help = "one policy is in force at a time: give one a later `valid_from`";
            found.push(source.at(Severity::Error, *place, message).help(help));
            continue;
        }
        if from(candidate) > on {
            continue;
        }
        let by_currency = rules.entry(policy.creditor.clone()).or_default();
        let best = by_currency.entry(policy.currency.code()).or_insert(candidate);
        if from(candidate) > from(best) {
            *best = candidate;
        }
    }
    let rules = rules.into_iter().filter_map(|(id, by_currency)| {
        let creditor = creditors.get(&id)?.creditor.clone();
        let policies = by_currency.into_iter();
        let policies = policies.map(|(code, chosen)| (code, Arc::clone(&chosen.policy))).collect();
        Some((id, Arc::new(Rules { creditor, policies })))
    });
    rules.collect()
}
