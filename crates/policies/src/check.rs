//! What a policy means for people, beyond being well-formed: steps and texts that can never be
//! reached (`reach`), come too late (`late`) or are missing, and where it meets a guard of the law (`guards`).

mod guards;
mod late;
mod reach;

use std::{collections::BTreeSet, path::Path};

use kulanz_domain::{
    calendar::Span,
    policy::{Anchor, LanguageChoice, Policy, Step, StepAction},
};

use self::reach::Reach;
use crate::{
    compile::CompiledPolicy,
    context::{Context, short},
    creditor::CreditorFile,
    diagnostic::{Diagnostic, Severity, did_you_mean, nearest},
    file::policy::PolicyDoc,
    templates::{TemplateKey, Templates},
};

/// How many missing files are named one by one.
const NAMED: usize = 4;

/// A compiled policy with all that stands around it.
pub(crate) struct Subject<'a> {
    pub doc: &'a PolicyDoc,
    pub compiled: &'a CompiledPolicy,
    pub creditor: &'a CreditorFile,
    pub templates: &'a Templates,
    /// Folder of the policy.
    pub folder: &'a Path,
}

impl<'a> Subject<'a> {
    fn policy(&self) -> &'a Policy {
        &self.compiled.policy
    }
}

/// Reports everything about `subject`.
pub(crate) fn check(subject: &Subject<'_>, context: &mut Context<'_>) {
    folder_name(subject, context);
    let mut misspelt = people(subject, context);
    for variant in &subject.compiled.variants {
        let mut own = Context::new(context.source);
        let (doc, compiled) = (&variant.doc, &variant.compiled);
        misspelt.extend(people(&Subject { doc, compiled, ..*subject }, &mut own));
        variant.tell(own.found, context);
    }
    unused_texts(subject, &misspelt, context);
}

/// Which personas may get each step, by their places in the policy; for the policy as it is, then
/// for each of its variants.
pub(crate) fn recipients(subject: &Subject<'_>, context: &Context<'_>) -> Vec<Vec<Vec<usize>>> {
    let reached = |doc, compiled| {
        let subject = Subject { doc, compiled, ..*subject };
        let reach = reach::check(&subject, &mut Context::new(context.source));
        let steps = 0..subject.policy().steps.len();
        steps.map(|place| reach.personas(&subject, place, None)).collect()
    };
    let variants = subject.compiled.variants.iter();
    let variants = variants.map(|variant| reached(&variant.doc, &variant.compiled));
    std::iter::once(reached(subject.doc, subject.compiled)).chain(variants).collect()
}

/// What it means for people; the texts that were probably meant where one is missing.
fn people<'a>(subject: &Subject<'a>, context: &mut Context<'_>) -> BTreeSet<&'a str> {
    let reach = reach::check(subject, context);
    late::check(subject, &reach, context);
    order(subject, context);
    let misspelt = texts(subject, &reach, context);
    guards::check(subject, &reach, context);
    misspelt
}

fn folder_name(subject: &Subject<'_>, context: &mut Context<'_>) {
    let name = &subject.doc.policy;
    if subject.folder.file_name().is_some_and(|folder| folder != name.as_str()) {
        let message = format!("the folder of `{}` has another name", short(name));
        context.warning(name.place, message, "people look for a policy by its folder");
    }
}

/// When each step is due, in days after the due date, where it counts from it; and whether that is
/// exact.
fn moments(policy: &Policy) -> Vec<Option<(i64, bool)>> {
    let mut moments: Vec<Option<(i64, bool)>> = Vec::new();
    for step in &policy.steps {
        let base = match step.at.anchor {
            Anchor::Due => Some((0, true)),
            Anchor::Step(at) => moments.get(at).copied().flatten(),
            Anchor::Issued | Anchor::Default => None,
        };
        let span = i64::from(days(step.at.span));
        moments.push(base.map(|(base, exact)| {
            let after = if step.at.before { base - span } else { base + span };
            (after, exact && !matches!(step.at.span, Span::BusinessDays(_)))
        }));
    }
    moments
}

/// Steps have to be due in the order of the ladder: a level never falls, so a step that is due
/// before one above it would be passed over, or pass over the other.
fn order(subject: &Subject<'_>, context: &mut Context<'_>) {
    let policy = subject.policy();
    let mut latest: Option<(i64, &Step)> = None;
    for (place, (step, moment)) in policy.steps.iter().zip(moments(policy)).enumerate() {
        let (Some((after, _)), Some(doc)) = (moment, subject.doc.steps.get(place)) else {
            continue;
        };
        match latest {
            Some((late, above)) if after < late => {
                let message = format!("`{}` is due before `{}` above it", step.name, above.name);
                let help = "steps stand in the order in which they happen";
                context.warning(doc.at.place, message, help);
            }
            _ => latest = Some((after, step)),
        }
    }
}

/// Calendar days, roughly.
fn days(span: Span) -> i32 {
    match span {
        Span::Days(n) => n,
        Span::Weeks(n) => n.saturating_mul(7),
        Span::BusinessDays(n) => n.saturating_mul(7) / 5,
    }
}

/// Every step has its text in each language, tone and channel in which somebody may get it. Gives
/// back the texts that were probably meant where one is missing.
fn texts<'a>(subject: &Subject<'a>, reach: &Reach, context: &mut Context<'_>) -> BTreeSet<&'a str> {
    let mut meant = BTreeSet::new();
    let policy = subject.policy();
    let senders = &subject.creditor.creditor.channels;
    let tones: BTreeSet<&str> =
        subject.templates.iter().map(|(key, _)| key.tone.as_str()).collect();
    for (persona, doc) in policy.personas.iter().zip(subject.doc.personas.iter()) {
        if !tones.contains(&*persona.tone) && !subject.templates.is_empty() {
            let at = doc.tone.as_ref().map_or(doc.persona.place, |tone| tone.place);
            let help = did_you_mean(&persona.tone, tones.iter().copied()).unwrap_or_else(|| {
                let tones: Vec<&str> = tones.iter().copied().collect();
                format!("there are texts in {}", tones.join(", "))
            });
            context.error(at, format!("no text has the tone `{}`", persona.tone), &help);
        }
    }
    for (place, step) in policy.steps.iter().enumerate() {
        if matches!(step.action, StepAction::HandOff { .. } | StepAction::Quiet) {
            continue;
        }
        let Some(doc) = subject.doc.steps.get(place) else { continue };
        let mut missing: BTreeSet<TemplateKey> = BTreeSet::new();
        let personas = reach.personas(subject, place, None);
        for persona in personas.into_iter().filter_map(|at| policy.personas.get(at)) {
            let known_tone = tones.contains(&*persona.tone);
            let languages = match &persona.language {
                LanguageChoice::Debtor => policy.languages.as_slice(),
                LanguageChoice::Fixed(language) => std::slice::from_ref(language),
            };
            let channels = persona.channels.iter().filter(|channel| senders.contains(channel));
            for &channel in channels {
                for language in languages {
                    let here = subject.templates.get(&step.text, language, &persona.tone, channel);
                    if here.is_none() && (known_tone || subject.templates.is_empty()) {
                        missing.insert(TemplateKey {
                            text: step.text.to_string(),
                            language: language.clone(),
                            tone: persona.tone.to_string(),
                            channel,
                        });
                    }
                }
            }
        }
        if missing.is_empty() {
            continue;
        }
        let mut named: Vec<String> =
            missing.iter().take(NAMED).map(TemplateKey::file_name).collect();
        if missing.len() > NAMED {
            named.push(format!("{} more", missing.len() - NAMED));
        }
        let texts: BTreeSet<&str> =
            subject.templates.iter().map(|(key, _)| key.text.as_str()).collect();
        let unknown = !texts.contains(&*step.text);
        let near = nearest(&step.text, texts).filter(|_| unknown);
        meant.extend(near);
        let near = near.map(|near| format!("did you mean `{near}`?"));
        let at = doc.text.as_ref().map_or(doc.step.place, |text| text.place);
        let message = format!("texts of `{}` are missing: {}", step.name, named.join(", "));
        let folder = subject.folder.join("templates");
        let help = near.unwrap_or_else(|| format!("write them to {}", folder.display()));
        context.error(at, message, &help);
    }
    meant
}

fn unused_texts(subject: &Subject<'_>, misspelt: &BTreeSet<&str>, context: &mut Context<'_>) {
    let variants = subject.compiled.variants.iter().map(|variant| &variant.compiled.policy);
    let policies = std::iter::once(subject.policy()).chain(variants);
    let steps = policies.flat_map(|policy| &policy.steps).filter(|step| !step.is_quiet());
    let used: BTreeSet<&str> = steps.map(|step| &*step.text).collect();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for (key, template) in subject.templates.iter() {
        let text = key.text.as_str();
        if used.contains(text) || misspelt.contains(text) || !told.insert(&key.text) {
            continue;
        }
        let message = format!("no step sends the text `{}`", short(&key.text));
        let mut found = Diagnostic::about(Severity::Warning, &template.file, message);
        found.help = did_you_mean(&key.text, used.iter().copied());
        context.found.push(found);
    }
}
