//! A policy to be looked at before its creditor's file is filled in: an invented creditor stands in
//! its place. And who of its personas may get which step.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use kulanz_domain::{
    fact::Channel,
    ids::{AgencyId, CreditorId, PersonaName},
};

use crate::{
    check::{self, Subject},
    compile,
    context::Context,
    creditor::{self, CreditorFile},
    diagnostic::{Diagnostic, Source},
    file::policy::PolicyDoc,
    load::{CREDITORS, Creditors, Findings, LoadedPolicy, POLICY, load_policy, read_creditors},
    templates::Templates,
    yaml,
};

/// A policy to be looked at.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The policy with its files.
    pub policy: LoadedPolicy,
    /// Warnings and notes; no errors.
    pub found: Findings,
    /// The creditors beside it whose files are in order.
    pub creditors: Creditors,
    /// Its own creditor, or an invented one in its place.
    pub creditor: CreditorFile,
    /// The file that the invented one stands for; absent where the creditor is a real one.
    pub invented_for: Option<PathBuf>,
    /// By the policy as it is and each of its variants (as in [`Policy::treatments`]), then by
    /// step: the personas that may get it.
    ///
    /// [`Policy::treatments`]: kulanz_domain::policy::Policy::treatments
    pub recipients: Vec<Vec<Vec<PersonaName>>>,
}

/// Who is owed where nobody is named. The numbers are those that are kept for films and examples.
const INVENTED: &str = "\
legal_name: Beispielladen GmbH
trading_name: Beispielladen
address: { street: Musterweg 1, postcode: \"12345\", city: Musterstadt, country: DE }
iban: DE89 3704 0044 0532 0130 00
timezone: Europe/Berlin
state: DE
law: de
input_tax_deduction: true
support: { email: hilfe@beispielladen.example, phone: +49 30 23125 000 }
imprint: Beispielladen GmbH, Musterweg 1, 12345 Musterstadt
";

/// Reads the policy in the folder `dir` and the creditors beside it.
///
/// # Errors
/// What keeps the policy from being used; what is wrong with creditors is not told.
pub fn look(dir: &Path) -> Result<Looked, Findings> {
    let path = dir.join(POLICY);
    let source = yaml::read(&path).map_err(|error| vec![*error])?;
    let doc: PolicyDoc = yaml::parse(&source).map_err(|error| vec![*error])?;
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let beside = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => absolute.parent().map(Path::to_owned).unwrap_or_default(),
    };
    let creditors = read_creditors(&beside, &mut Vec::new());
    let own = creditors.values().find(|file| file.id().as_str() == doc.creditor.as_str());
    let (creditor, invented_for) = match own {
        Some(own) => (own.clone(), None),
        None => {
            let missing = beside.join(CREDITORS).join(format!("{}.yaml", doc.creditor.as_str()));
            (invented(&source, &doc, dir)?, Some(missing))
        }
    };
    let for_it = Creditors::from([(creditor.id().clone(), creditor.clone())]);
    let (policy, found) = load_policy(dir, &for_it)?;
    let recipients = recipients(&policy, (&source, &doc), &creditor)?;
    Ok(Looked { policy, found, creditors, creditor, invented_for, recipients })
}

/// The invented creditor under the name that the policy gives it, with the agencies that the policy
/// knows, and a sender for each channel that it has texts for: none is missing then.
fn invented(source: &Source, doc: &PolicyDoc, dir: &Path) -> Result<CreditorFile, Findings> {
    let mut context = Context::new(source);
    let Some(id) = context.read::<CreditorId>(&doc.creditor, doc.creditor.place) else {
        return Err(context.found);
    };
    let mut text = format!("id: \"{id}\"\n{INVENTED}");
    let templates = Templates::read(&dir.join("templates"), &mut Vec::new());
    text.push_str("channels:\n");
    for (channel, sender) in [
        (Channel::Email, "  email: { from: rechnung@beispielladen.example }\n"),
        (Channel::Sms, "  sms: { sender: Beispiel }\n"),
        (Channel::Letter, "  letter: {}\n"),
    ] {
        let written = templates.iter().any(|(key, _)| key.channel == channel);
        if written || channel == Channel::Email {
            text.push_str(sender);
        }
    }
    // One that cannot be a name is told of when the policy is compiled.
    let hand_offs = doc.steps.iter().filter_map(|step| step.hand_off.as_ref());
    let agencies: BTreeSet<AgencyId> =
        hand_offs.filter_map(|one| one.agency.as_str().parse().ok()).collect();
    if !agencies.is_empty() {
        text.push_str("agencies:\n");
    }
    for agency in agencies {
        text.push_str(&format!(
            "  - {{ id: \"{agency}\", name: Inkasso Beispiel, delivery: {{ directory: handoff }} }}\n"
        ));
    }
    let path = PathBuf::from(format!("{id}.yaml"));
    let mut found = Vec::new();
    creditor::parse(&path, &Source::new(&path, &text), &mut found).ok_or(found)
}

fn recipients(
    policy: &LoadedPolicy,
    (source, doc): (&Source, &PolicyDoc),
    creditor: &CreditorFile,
) -> Result<Vec<Vec<Vec<PersonaName>>>, Findings> {
    let mut context = Context::new(source);
    let compiled = compile::compile(doc, creditor, &policy.hash_full, &mut context);
    let Some(compiled) = compiled.filter(|_| !context.found.iter().any(Diagnostic::is_error))
    else {
        return Err(context.found);
    };
    let (folder, templates) = (&*policy.dir, &policy.templates);
    let subject = Subject { doc, compiled: &compiled, creditor, templates, folder };
    let by_place = check::recipients(&subject, &context);
    let treatments = policy.policy.treatments();
    let named = treatments.zip(by_place).map(|(treatment, steps)| {
        let names = |places: Vec<usize>| {
            let personas = places.into_iter().filter_map(|at| treatment.personas.get(at));
            personas.map(|persona| persona.name.clone()).collect()
        };
        steps.into_iter().map(names).collect()
    });
    Ok(named.collect())
}
