//! What a policy means for people, beyond being well-formed: steps and texts that can never be
//! reached or are missing, and where it meets a guard of the law (`guards`).

mod guards;

use std::{collections::BTreeSet, path::Path};

use kulanz_domain::{
    calendar::Span,
    fact::DebtorKind,
    policy::{Anchor, LanguageChoice, Persona, Policy, Step, StepAction},
};

use crate::{
    compile::CompiledPolicy,
    condition::{Compiled, Known},
    context::{Context, short},
    creditor::CreditorFile,
    diagnostic::{Diagnostic, Severity, did_you_mean},
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

impl Subject<'_> {
    fn policy(&self) -> &Policy {
        &self.compiled.policy
    }

    /// Whether `persona` can ever get the step at `place`, as far as constants, its name and, if
    /// told, the debtor's kind decide it.
    fn reaches(&self, persona: usize, place: usize, kind: Option<DebtorKind>) -> bool {
        let name = self.policy().personas.get(persona).map(|persona| persona.name.as_str());
        let known = Known { persona: name, kind };
        let not_false = |conditions: &[Option<Compiled>], at: usize, known: Known<'_>| {
            let condition = conditions.get(at).and_then(Option::as_ref);
            condition.is_none_or(|condition| condition.known(&known) != Some(false))
        };
        not_false(&self.compiled.persona_conditions, persona, Known { persona: None, kind })
            && not_false(&self.compiled.step_conditions, place, known)
    }

    fn personas_of(
        &self,
        place: usize,
        kind: Option<DebtorKind>,
    ) -> impl Iterator<Item = &Persona> {
        let all = self.policy().personas.iter().enumerate();
        all.filter(move |(at, _)| self.reaches(*at, place, kind)).map(|(_, persona)| persona)
    }
}

/// Reports everything about `subject`.
pub(crate) fn check(subject: &Subject<'_>, context: &mut Context<'_>) {
    folder_name(subject, context);
    unreachable(subject, context);
    order(subject, context);
    texts(subject, context);
    unused_texts(subject, context);
    guards::check(subject, context);
}

fn folder_name(subject: &Subject<'_>, context: &mut Context<'_>) {
    let name = &subject.doc.policy;
    if subject.folder.file_name().is_some_and(|folder| folder != name.as_str()) {
        let message = format!("the folder of `{}` has another name", short(name));
        context.warning(name.place, message, "people look for a policy by its folder");
    }
}

fn unreachable(subject: &Subject<'_>, context: &mut Context<'_>) {
    let doc = subject.doc;
    for (at, condition) in subject.compiled.persona_conditions.iter().enumerate() {
        let value = condition.as_ref().and_then(|condition| condition.known(&Known::default()));
        let Some(when) = doc.personas.get(at).and_then(|persona| persona.when.as_ref()) else {
            continue;
        };
        match value {
            Some(false) => context.warning(when.place, "this is never true", "nobody is chosen"),
            Some(true) => {
                let help = "the personas below are never chosen";
                context.warning(when.place, "this is always true", help);
            }
            None => {}
        }
    }
    let mut handed_off: Option<&str> = None;
    for (place, step) in subject.policy().steps.iter().enumerate() {
        let Some(doc) = doc.steps.get(place) else { continue };
        if let Some(before) = handed_off {
            let message = format!("`{}` is never reached", step.name);
            let help = format!("`{before}` hands every claim off before it");
            context.warning(doc.step.place, message, &help);
        } else if subject.personas_of(place, None).next().is_none() {
            let at = doc.when.as_ref().map_or(doc.step.place, |when| when.place);
            let message = format!("`{}` is never reached", step.name);
            context.warning(at, message, "its condition is false for every persona");
        }
        if matches!(step.action, StepAction::HandOff { .. }) && step.when.is_none() {
            handed_off = handed_off.or(Some(step.name.as_str()));
        }
    }
}

/// Steps have to be due in the order of the ladder: a level never falls, so a step that is due
/// before one above it would be passed over, or pass over the other.
fn order(subject: &Subject<'_>, context: &mut Context<'_>) {
    let mut due_after: Vec<Option<i64>> = Vec::new();
    let mut latest: Option<(i64, &Step)> = None;
    for (place, step) in subject.policy().steps.iter().enumerate() {
        let base = match step.at.anchor {
            Anchor::Due => Some(0),
            Anchor::Step(at) => due_after.get(at).copied().flatten(),
            Anchor::Issued | Anchor::Default => None,
        };
        let span = i64::from(days(step.at.span));
        let after = base.map(|base| if step.at.before { base - span } else { base + span });
        if let (Some(after), Some((late, above)), Some(doc)) =
            (after, latest, subject.doc.steps.get(place))
            && after < late
        {
            let message = format!("`{}` is due before `{}` above it", step.name, above.name);
            context.warning(doc.at.place, message, "steps stand in the order in which they happen");
        }
        if let Some(after) = after
            && latest.is_none_or(|(late, _)| after >= late)
        {
            latest = Some((after, step));
        }
        due_after.push(after);
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

/// Every step has its text in each language, tone and channel in which somebody may get it.
fn texts(subject: &Subject<'_>, context: &mut Context<'_>) {
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
        if matches!(step.action, StepAction::HandOff { .. }) {
            continue;
        }
        let Some(doc) = subject.doc.steps.get(place) else { continue };
        let mut missing: BTreeSet<TemplateKey> = BTreeSet::new();
        for persona in subject.personas_of(place, None) {
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
        let near = did_you_mean(&step.text, texts).filter(|_| unknown);
        let at = doc.text.as_ref().map_or(doc.step.place, |text| text.place);
        let message = format!("texts of `{}` are missing: {}", step.name, named.join(", "));
        let folder = subject.folder.join("templates");
        let help = near.unwrap_or_else(|| format!("write them to {}", folder.display()));
        context.error(at, message, &help);
    }
}

fn unused_texts(subject: &Subject<'_>, context: &mut Context<'_>) {
    let used: BTreeSet<&str> = subject.policy().steps.iter().map(|step| &*step.text).collect();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for (key, template) in subject.templates.iter() {
        if used.contains(key.text.as_str()) || !told.insert(&key.text) {
            continue;
        }
        let message = format!("no step sends the text `{}`", short(&key.text));
        let mut found = Diagnostic::about(Severity::Warning, &template.file, message);
        found.help = did_you_mean(&key.text, used.iter().copied());
        context.found.push(found);
    }
}
