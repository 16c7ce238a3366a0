//! Personas: who is spoken to how.

use kulanz_domain::{
    contact::{ContactWindow, Hours},
    fact::{Channel, PayWith},
    ids::PersonaName,
    money::Decimal,
    policy::{LanguageChoice, Persona},
};

use super::{arc, bare, harmless, is_language};
use crate::{
    condition::{Compiled, Scope},
    context::{Context, short, spoken},
    creditor::CreditorFile,
    diagnostic::did_you_mean,
    file::policy::{ChannelDoc, PersonaDoc},
    yaml::At,
};

/// The tone of a persona that names none.
const TONE: &str = "clear";

/// What personas start from.
pub(super) struct Defaults<'a> {
    pub window: &'a ContactWindow,
    pub creditor: &'a CreditorFile,
    pub languages: &'a [String],
}

/// All personas, with their conditions; `None` where an error was reported.
pub(super) fn personas(
    docs: &At<Vec<At<PersonaDoc>>>,
    defaults: &Defaults<'_>,
    context: &mut Context<'_>,
) -> (Option<Vec<Persona>>, Vec<Option<Compiled>>) {
    let mut personas = Vec::new();
    let mut conditions = Vec::new();
    if docs.is_empty() {
        let help = "add one without `when`: - persona: everyone";
        context.error(docs.place, "there is no persona", help);
    }
    for (at, doc) in docs.iter().enumerate() {
        let last = at + 1 == docs.len();
        match (&doc.when, last) {
            (None, false) => context.error(
                doc.persona.place,
                format!(
                    "`{}` has no condition, so those below it are never chosen",
                    short(&doc.persona)
                ),
                "the persona without `when` comes last",
            ),
            (Some(_), true) => context.error(
                doc.persona.place,
                format!("`{}` comes last and has a condition", short(&doc.persona)),
                "add one without `when` for all others: - persona: everyone",
            ),
            _ => {}
        }
        if docs.iter().take(at).any(|other| other.persona.as_str() == doc.persona.as_str()) {
            let message = format!("there are two personas `{}`", short(&doc.persona));
            context.error(doc.persona.place, message, "names are used once");
        }
        let condition = doc.when.as_ref().and_then(|when| {
            let compiled = context.condition(when, Scope::Persona)?;
            harmless(when, &compiled, defaults.creditor, context);
            Some(compiled)
        });
        personas.push(persona(doc, &condition, defaults, context));
        conditions.push(condition);
    }
    (personas.into_iter().collect(), conditions)
}

fn persona(
    doc: &PersonaDoc,
    condition: &Option<Compiled>,
    defaults: &Defaults<'_>,
    context: &mut Context<'_>,
) -> Option<Persona> {
    let name: Option<PersonaName> = context.read(&doc.persona, doc.persona.place);
    let language = language(doc, defaults, context);
    let tone = doc.tone.as_ref().map_or(TONE, |tone| tone.as_str());
    if let Some(at) = &doc.tone
        && (tone.contains('.') || kulanz_domain::ids::PersonaName::new(tone).is_err())
    {
        let message = format!("`{}` cannot be a tone", short(tone));
        context.error(at.place, message, "it is part of file names: write it as `warm`");
    }
    let window = window(doc, defaults.window, context);
    let channels = match &doc.channels {
        Some(channels) => channels_of(channels, defaults.creditor, context),
        None => defaults.creditor.creditor.channels.clone(),
    };
    let pay_with = match &doc.pay_with {
        Some(ways) => {
            if ways.is_empty() {
                context.error(ways.place, "there is no way to pay", "leave the key out instead");
            }
            let mut unique: Vec<PayWith> = Vec::new();
            for way in ways.iter().copied().map(PayWith::from) {
                if !unique.contains(&way) {
                    unique.push(way);
                }
            }
            unique
        }
        None => vec![PayWith::Transfer, PayWith::Card],
    };
    let pace = match &doc.pace {
        Some(at) => {
            let pace = context.decimal(at, at.place);
            let sane = |pace: &Decimal| (Decimal::new(1, 1)..=Decimal::TEN).contains(pace);
            if pace.is_some_and(|pace| !sane(&pace)) {
                let message = format!("`{}` is no pace", short(at));
                context.error(at.place, message, "between 0.1 and 10; 2 waits twice as long");
            }
            pace
        }
        None => Some(Decimal::ONE),
    };
    Some(Persona {
        name: name?,
        when: bare(condition),
        language,
        tone: arc(tone),
        window,
        channels,
        pay_with,
        pace: pace?,
    })
}

fn language(
    doc: &PersonaDoc,
    defaults: &Defaults<'_>,
    context: &mut Context<'_>,
) -> LanguageChoice {
    match &doc.language {
        None => LanguageChoice::Debtor,
        Some(at) if at.as_str() == "debtor" => LanguageChoice::Debtor,
        Some(at) => {
            let code = at.as_str().to_owned();
            if !is_language(&code) || !defaults.languages.contains(&code) {
                let near = defaults.languages.iter().map(String::as_str);
                let help = did_you_mean(&code, near.chain(["debtor"]))
                    .unwrap_or_else(|| "write `debtor`, or one of the policy's `languages`".into());
                let message = format!("`{}` is none of the policy's languages", short(&code));
                context.error(at.place, message, &help);
            }
            LanguageChoice::Fixed(code)
        }
    }
}

fn window(doc: &PersonaDoc, policy: &ContactWindow, context: &mut Context<'_>) -> ContactWindow {
    let Some(at) = &doc.hours else { return *policy };
    let Some(hours) = context.read::<Hours>(at, at.place) else { return *policy };
    let window = policy.narrowed(None, Some(hours));
    if window.is_empty() && !policy.is_empty() {
        let message = format!("`{}` could never be contacted", short(&doc.persona));
        let help = "its hours have nothing in common with the policy's `contact` and the law";
        context.error(at.place, message, help);
    } else {
        let wednesday = jiff::civil::Weekday::Wednesday;
        let open = policy.hours_on(wednesday);
        if let Some(open) = open.filter(|open| open.intersect(hours) != Some(hours)) {
            let message = format!("`{hours}` reaches outside of what is allowed, {open}");
            context.warning(at.place, message, "messages keep to the narrower hours");
        }
    }
    window
}

fn channels_of(
    docs: &At<Vec<At<ChannelDoc>>>,
    creditor: &CreditorFile,
    context: &mut Context<'_>,
) -> Vec<Channel> {
    let mut channels: Vec<Channel> = Vec::new();
    let sends = |channel: &Channel| creditor.creditor.channels.contains(channel);
    let reached = docs.iter().any(|at| sends(&Channel::from(at.value)));
    for at in &docs.value {
        let channel = Channel::from(at.value);
        if channels.contains(&channel) {
            context.error(at.place, format!("`{}` stands here twice", channel.name()), "");
        } else if reached && !sends(&channel) {
            let message = format!("`{}` has no sender for {}", creditor.id(), spoken(channel));
            let help = format!("it is never used: add one in {}", creditor.file.display());
            context.warning(at.place, message, &help);
        }
        channels.push(channel);
    }
    if !reached {
        let message = "these people could never be reached";
        context.error(docs.place, message, "name a channel for which the creditor has a sender");
    }
    channels
}
