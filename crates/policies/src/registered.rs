//! Policies from the sources that were kept when they came into force, whatever lies in the folder
//! today.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use kulanz_domain::policy::Policy;

use crate::{
    compile,
    context::Context,
    diagnostic::{Diagnostic, Severity, Source},
    file::policy::PolicyDoc,
    load::{Creditors, Findings, LoadedPolicy, POLICY, hash, named_creditor},
    templates::Templates,
    yaml,
};

/// A policy from its kept sources: texts by their name in its folder. `name` is how findings call
/// it. What `check` would say of it today is not asked: it was in force.
///
/// # Errors
/// What keeps it from being compiled by this release.
pub fn compile_registered(
    name: &str,
    sources: &BTreeMap<String, String>,
    creditors: &Creditors,
) -> Result<Arc<Policy>, Findings> {
    load_registered(name, sources, creditors).map(|loaded| loaded.policy)
}

/// As [`compile_registered`], with its texts and files; `dir` is `name`.
///
/// # Errors
/// What keeps it from being compiled by this release.
pub fn load_registered(
    name: &str,
    sources: &BTreeMap<String, String>,
    creditors: &Creditors,
) -> Result<LoadedPolicy, Findings> {
    let path = Path::new(name).join(POLICY);
    let Some(text) = sources.get(POLICY) else {
        let missing = Diagnostic::about(Severity::Error, &path, "is not among the kept sources");
        return Err(vec![missing]);
    };
    let source = Source::new(&path, text);
    let doc: PolicyDoc = yaml::parse(&source).map_err(|error| vec![*error])?;
    let hash_full = hash(sources);
    let mut context = Context::new(&source);
    let compiled = named_creditor(&doc, creditors, &mut context)
        .and_then(|creditor| compile::compile(&doc, creditor, &hash_full, &mut context));
    let errors = context.found.iter().any(Diagnostic::is_error);
    let found = context.found;
    match compiled {
        Some(compiled) if !errors => Ok(LoadedPolicy {
            policy: Arc::new(compiled.policy),
            sources: sources.clone(),
            hash_full,
            templates: Templates::of_sources(sources, Path::new(name)),
            dir: name.into(),
            valid_from: compiled.valid_from,
            place: (source.clone(), doc.policy.place),
            languages_at: doc.languages.place,
        }),
        _ => Err(found),
    }
}
