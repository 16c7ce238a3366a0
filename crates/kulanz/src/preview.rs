//! `kulanz policy preview`: the messages of a policy, to be looked at before a debtor gets one. Made
//! from samples by what makes those that are sent. Nothing leaves, nothing is recorded, and neither
//! a server nor data are asked.

mod page;
mod text;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use kulanz_delivery::render::{Content, Previewed, Sample, preview};
use kulanz_domain::{
    fact::Channel,
    policy::{Bundle, LanguageChoice, Policy, Step},
};
use kulanz_policies::{CreditorFile, Diagnostic, LoadedPolicy, Looked, Severity, nearest};
use serde_json::{Value, json};

use crate::{
    house::{self, Places, SAMPLE_URL, count, letterhead},
    policy,
};

/// Beside the help of `policy preview`.
pub const EXAMPLES: &str = "\
Names, amounts and days are invented; costs, deadlines and plans are what the policy and the law make
of them. No message leaves, nothing is recorded, and no server or data are needed.

Examples:
  kulanz policy preview shop-b2c
  kulanz policy preview shop-b2c --step mahnung --language de --tone warm --channel email
  kulanz policy preview shop-b2c --sample longest --channel sms
  kulanz policy preview shop-b2c --html messages.html     to look at in a browser
  kulanz policy preview shop-b2c --json                   for programs";

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Name of a policy, or its folder
    #[arg(value_name = "NAME")]
    policy: PathBuf,
    /// Only this step
    #[arg(long)]
    step: Option<String>,
    /// Only in this language
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Only in this tone
    #[arg(long)]
    tone: Option<String>,
    /// Only by this channel: email, sms or letter
    #[arg(long)]
    channel: Option<String>,
    /// About one claim (short), two (several), or as long as it may get (longest); where left out,
    /// several, and short where the policy sends a message for each claim
    #[arg(long, value_parser = sample)]
    sample: Option<Sample>,
    /// With the name and data of this creditor; the policy's own where left out
    #[arg(long, value_name = "ID")]
    creditor: Option<String>,
    /// Write one page for a browser to this file, instead of printing
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn sample(text: &str) -> Result<Sample, String> {
    let known = Sample::ALL.into_iter().find(|sample| sample.name() == text);
    known.ok_or_else(|| format!("there are {}", listed(Sample::ALL.map(Sample::name))))
}

/// All that is shown.
struct Preview {
    policy: Arc<Policy>,
    creditor: CreditorFile,
    /// Where the creditor is an invented one, why.
    invented: Option<String>,
    sample: Sample,
    cards: Vec<Card>,
}

/// A message, and what there is to know of it.
struct Card {
    step: Step,
    made: Previewed,
    /// Name of the template in the policy's folder.
    file: String,
    /// Personas that may get it, with how much longer than usual they wait.
    to: Vec<(String, String)>,
    /// Names of the experiments that try it; empty where the policy sends it as it is.
    tried: Vec<String>,
}

/// Prints or writes the messages.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    let folder = folder(places, &options.policy)?;
    let looked = match kulanz_policies::look(&folder) {
        Ok(looked) => looked,
        Err(found) => return Err(refused(&found, &folder)),
    };
    let preview = gather(looked, &folder, options)?;
    let html = options.html.as_ref();
    if let Some(file) = html {
        fs::write(file, page::render(&preview))
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    match (options.json, html) {
        (true, _) => {
            let rows: Vec<Value> = preview.cards.iter().map(|card| row(&preview, card)).collect();
            println!("{}", serde_json::to_string_pretty(&rows)?);
        }
        (false, Some(file)) => {
            let number = count(preview.cards.len(), "message");
            println!("{number}, to be opened in a browser: {}", file.display());
        }
        (false, None) => print!("{}", text::render(&preview)),
    }
    Ok(())
}

/// The folder of a policy: one of the configuration by its name, or as it is named.
fn folder(places: &Places, named: &Path) -> Result<PathBuf> {
    let all = places.config.join("policies");
    let is_policy = |folder: &Path| folder.join("policy.yaml").is_file();
    for folder in [all.join(named), named.to_owned()] {
        if is_policy(&folder) {
            return Ok(folder);
        }
    }
    if !all.is_dir() {
        bail!(
            "no policies at {}: run this where a folder `policies` is, or name one that has it \
             with --config DIR",
            all.display()
        );
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(&all).with_context(|| all.display().to_string())? {
        let path = entry.with_context(|| all.display().to_string())?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        names.extend(name.filter(|_| is_policy(&path)));
    }
    names.sort();
    unknown("policy", &named.display().to_string(), &names, &format!(" in {}", all.display()))
}

/// What is wrong is printed as `policy check` does.
fn refused(found: &[Diagnostic], folder: &Path) -> anyhow::Error {
    found.iter().for_each(|finding| eprint!("{}", finding.render(crate::colour())));
    let errors = found.iter().filter(|finding| finding.is_error()).count();
    anyhow::anyhow!(
        "{} in {}: its messages can be looked at once that is in order",
        count(errors, "error"),
        folder.display()
    )
}

/// A refusal that names what there is.
fn unknown<T>(what: &str, named: &str, there: &[String], place: &str) -> Result<T> {
    let named: String = named.chars().take(80).collect();
    let near = nearest(&named, there.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    match there {
        [] => bail!("there is no {what} `{named}`{place}, and no other one"),
        _ => bail!("there is no {what} `{named}`{place}: there are {}{near}", listed(there)),
    }
}

/// `a, b and c`.
fn listed<S: AsRef<str>>(names: impl AsRef<[S]>) -> String {
    let names: Vec<&str> = names.as_ref().iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [first @ .., before, last] => {
            let first: String = first.iter().map(|name| format!("{name}, ")).collect();
            format!("{first}{before} and {last}")
        }
        [only] => (*only).to_owned(),
        [] => String::new(),
    }
}

fn gather(looked: Looked, folder: &Path, options: &Options) -> Result<Preview> {
    let policy = Arc::clone(&looked.policy.policy);
    let (creditor, invented) = shown(&looked, options.creditor.as_deref())?;
    let head = letterhead(&creditor)?;
    let mut found = policy::of_texts(&looked.policy, &head.creditor);
    if found.iter().any(Diagnostic::is_error) {
        return Err(refused(&found, folder));
    }
    found.extend(looked.found.iter().cloned());
    let warnings = found.iter().filter(|one| one.severity == Severity::Warning).count();
    if warnings > 0 {
        let folder = folder.display();
        eprintln!("note: {}: `kulanz policy check {folder}` shows all", count(warnings, "warning"));
    }
    let sample = options.sample.unwrap_or(match policy.bundle {
        Bundle::Account => Sample::Several,
        Bundle::Claim => Sample::Short,
    });
    let mut cards = cards(&looked, &creditor, sample)?;
    filter(&mut cards, &policy, options)?;
    Ok(Preview { policy, creditor, invented, sample, cards })
}

/// Whose name the messages bear, and why it is an invented one.
fn shown(looked: &Looked, asked: Option<&str>) -> Result<(CreditorFile, Option<String>)> {
    let Some(asked) = asked else {
        let why = looked.invented_for.as_ref().map(|file| {
            let said = match file.exists() {
                true => "is not in order yet",
                false => "is not there",
            };
            format!("{} {said}: an invented creditor stands in its place", file.display())
        });
        return Ok((looked.creditor.clone(), why));
    };
    if let Some(file) = looked.creditors.values().find(|file| file.id().as_str() == asked) {
        return Ok((file.clone(), None));
    }
    let there: Vec<String> = looked.creditors.keys().map(ToString::to_string).collect();
    unknown("creditor", asked, &there, " whose file is in order")
}

/// Each message once: of the policy as it is, then what its experiments try instead.
fn cards(looked: &Looked, creditor: &CreditorFile, sample: Sample) -> Result<Vec<Card>> {
    let loaded = &looked.policy;
    let head = letterhead(creditor)?;
    // That they compile was found by now.
    let templates = house::templates(loaded).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("texts cannot be used:\n  {}", told.join("\n  "))
    })?;
    let parties = (&head.creditor, &creditor.creditor);
    let mut cards: Vec<Card> = Vec::new();
    for (treatment, recipients) in loaded.policy.treatments().zip(&looked.recipients) {
        let made = preview(treatment, &templates, parties, sample, SAMPLE_URL)?;
        for made in made {
            let Some(step) = treatment.steps.get(made.place) else { continue };
            let who = recipients.get(made.place).map_or(&[][..], Vec::as_slice);
            let to =
                to(treatment, &made, |name| who.iter().any(|one| one.as_str() == name), looked);
            let same = |card: &&mut Card| card.is(step, &made);
            match cards.iter_mut().find(same) {
                Some(card) => {
                    for persona in to {
                        let known = card.to.iter().any(|(name, _)| *name == persona.0);
                        card.to.extend((!known).then_some(persona));
                    }
                }
                None => cards.push(Card {
                    step: step.clone(),
                    file: file(loaded, &made),
                    to,
                    tried: treatment.arms.iter().map(|arm| arm.experiment.to_string()).collect(),
                    made,
                }),
            }
        }
    }
    let rank =
        |of: &[&str], one: &str| of.iter().position(|known| *known == one).unwrap_or(of.len());
    let languages: Vec<&str> = loaded.policy.languages.iter().map(String::as_str).collect();
    let tones: Vec<&str> = loaded.policy.personas.iter().map(|persona| &*persona.tone).collect();
    let channels = Channel::ALL.map(Channel::name);
    cards.sort_by_key(|card| {
        let key = &card.made.key;
        let (language, tone) = (rank(&languages, &key.language), rank(&tones, &key.tone));
        (card.made.place, language, tone, rank(&channels, key.channel.name()))
    });
    Ok(cards)
}

/// The personas that `made` may go to, with how they wait.
fn to(
    policy: &Policy,
    made: &Previewed,
    reached: impl Fn(&str) -> bool,
    looked: &Looked,
) -> Vec<(String, String)> {
    let key = &made.key;
    let senders = &looked.creditor.creditor.channels;
    let personas = policy.personas.iter().filter(|persona| {
        let reads = match &persona.language {
            LanguageChoice::Debtor => policy.languages.contains(&key.language),
            LanguageChoice::Fixed(language) => *language == key.language,
        };
        reached(persona.name.as_str())
            && reads
            && *persona.tone == *key.tone
            && persona.channels.contains(&key.channel)
            && senders.contains(&key.channel)
    });
    personas.map(|persona| (persona.name.to_string(), words::pace(persona.pace))).collect()
}

fn file(policy: &LoadedPolicy, made: &Previewed) -> String {
    let key = &made.key;
    let template = policy.templates.get(&key.text, &key.language, &key.tone, key.channel);
    let name = template.and_then(|template| template.file.file_name());
    name.map(|name| format!("templates/{}", name.to_string_lossy())).unwrap_or_default()
}

impl Card {
    /// The same message, sent at the same time for the same.
    fn is(&self, step: &Step, made: &Previewed) -> bool {
        self.step.name == step.name
            && self.step.at == step.at
            && self.step.deadline == step.deadline
            && self.step.fee == step.fee
            && self.made.key == made.key
            && self.made.content == made.content
    }
}

/// Keeps what is asked for; a name that is not there is refused with those that are.
fn filter(cards: &mut Vec<Card>, policy: &Policy, options: &Options) -> Result<()> {
    let mut distinct: [Vec<String>; 4] = Default::default();
    for card in &*cards {
        for (names, name) in distinct.iter_mut().zip(card.names()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    if let Some(step) = &options.step
        && let Some(quiet) = policy.steps.iter().find(|one| one.name.as_str() == step)
        && !distinct[0].contains(step)
    {
        bail!("`{}` sends no message: {} do", quiet.name, listed(&distinct[0]));
    }
    let asked = [&options.step, &options.language, &options.tone, &options.channel];
    let whats = ["step", "text in language", "text in tone", "text for channel"];
    for ((asked, there), what) in asked.into_iter().zip(&distinct).zip(whats) {
        if let Some(name) = asked.as_ref().filter(|name| !there.contains(name)) {
            unknown(what, name, there, "")?;
        }
    }
    cards.retain(|card| {
        let mut names = card.names().into_iter().zip(asked);
        names.all(|(name, asked)| asked.as_ref().is_none_or(|asked| asked == name))
    });
    if cards.is_empty() {
        bail!("no text is all of that at once: leave out one of the filters");
    }
    Ok(())
}

impl Card {
    /// Step, language, tone, channel.
    fn names(&self) -> [&str; 4] {
        let key = &self.made.key;
        [self.step.name.as_str(), &key.language, &key.tone, key.channel.name()]
    }

    /// Subject, plain text and HTML.
    fn parts(&self) -> (Option<&str>, &str, Option<&str>) {
        match &self.made.content {
            Content::Email(document) | Content::Letter(document) => {
                (Some(&document.subject), &document.text, Some(&document.html))
            }
            Content::Sms(sms) => (None, &sms.text, None),
        }
    }
}

fn row(preview: &Preview, card: &Card) -> Value {
    let (policy, made) = (&preview.policy, &card.made);
    let (subject, text, html) = card.parts();
    let [step, language, tone, channel] = card.names();
    let personas: Vec<&str> = card.to.iter().map(|(name, _)| name.as_str()).collect();
    let mut row = json!({
        "step": step, "language": language, "tone": tone, "channel": channel,
        "sample": made.sample.name(), "subject": subject, "text": text,
        "file": card.file, "personas": personas, "experiments": card.tried,
        "at": words::at(&card.step.at, policy), "days_after_due": made.days_after_due,
        "sent_on": made.sent_on, "deadline": made.deadline, "currency": policy.currency.code(),
        "fee": made.fee.plain(), "lump_sum": made.lump_sum.plain(),
        "creditor": preview.creditor.id(), "invented_creditor": preview.invented.is_some(),
    });
    if let Some(html) = html {
        row["html"] = json!(html);
    }
    if let Content::Sms(sms) = &made.content {
        row["characters"] = json!(sms.text.chars().count());
        row["segments"] = json!(sms.segments);
    }
    row
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
