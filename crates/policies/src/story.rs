//! Stories: short texts in `tests/` that say what happens to one debtor and what must follow.
//!
//! [`stories`] reads those of a policy, with a place and advice for each mistake; [`Story::play`]
//! plays one through the same rules that serve and says day by day what came of it;
//! [`uncovered`] says which steps, personas and guards no story shows.

mod coverage;
mod event;
mod expect;
mod guard;
mod matching;
mod play;
mod reason;
mod verdict;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
};
use kulanz_domain::{
    calendar::Region,
    contact::Hours,
    fact::{BirthTold, DebtorKind, DebtorProfile, Fact},
    ids::{AccountId, DebtorId, InvoiceId},
    law,
    policy::{ArmTaken, Policy, Rules},
};

pub use self::{
    coverage::{Uncovered, uncovered},
    guard::Guard,
    verdict::{Mark, Row, Verdict},
};
use self::{
    event::{Deed, Teller},
    expect::{Reader, What, When},
    words::Unread,
};
use crate::{
    compile::is_language,
    context::{Context, short},
    creditor::CreditorFile,
    diagnostic::{Diagnostic, Place, Severity, did_you_mean},
    file::story::{DebtorDoc, EventLine, ExpectLine, KindDoc, Line, Sentence, StoryDoc},
    load::{Findings, LoadedPolicy},
    templates::files,
    yaml::{self, At},
};

/// The most that a story may hold of events, of invoices, and of expectations.
const MOST: usize = 300;

/// A story, read and ready to be played.
#[derive(Debug, Clone)]
pub struct Story {
    /// Where it was read from.
    pub file: PathBuf,
    /// What it shows, in one sentence.
    pub test: String,
    /// Guards that it shows at work.
    pub guards: BTreeSet<Guard>,
    account: AccountId,
    rules: Arc<Rules>,
    policy: Arc<Policy>,
    events: Vec<Event>,
    expected: Vec<Expected>,
    /// The last moment that is played.
    end: Timestamp,
}

#[derive(Debug, Clone)]
struct Event {
    at: Timestamp,
    timed: bool,
    line: usize,
    text: String,
    deeds: Vec<Deed>,
}

#[derive(Debug, Clone)]
struct Expected {
    when: When,
    line: usize,
    text: String,
    what: What,
}

/// A file in `tests/` that is no story.
#[derive(Debug, Clone)]
pub struct BrokenStory {
    /// Which.
    pub file: PathBuf,
    /// What is wrong with it; at least one error.
    pub findings: Findings,
}

/// The stories of `policy`, whose creditor is `creditor`, in the order of their files; and what
/// cannot be read.
pub fn stories(
    policy: &LoadedPolicy,
    creditor: &CreditorFile,
) -> (Vec<Story>, Vec<BrokenStory>, Findings) {
    let policies = BTreeMap::from([(policy.policy.currency.code(), Arc::clone(&policy.policy))]);
    let rules = Arc::new(Rules { creditor: creditor.creditor.clone(), policies });
    let (mut good, mut broken, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for file in files(&policy.dir.join("tests"), &mut found) {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') || file.is_dir() {
            continue;
        }
        if !name.ends_with(".yaml") {
            let message = "this file is not read";
            found.push(
                Diagnostic::about(Severity::Warning, &file, message)
                    .help("name a story <what-it-shows>.yaml"),
            );
            continue;
        }
        match read(&file, &policy.policy, creditor, &rules) {
            Ok(story) => good.push(story),
            Err(findings) => broken.push(BrokenStory { file, findings }),
        }
    }
    (good, broken, found)
}

fn read(
    file: &Path,
    policy: &Arc<Policy>,
    creditor: &CreditorFile,
    rules: &Arc<Rules>,
) -> Result<Story, Findings> {
    let source = yaml::read(file).map_err(|error| vec![*error])?;
    let doc: StoryDoc = yaml::parse(&source).map_err(|error| vec![*error])?;
    let mut context = Context::new(&source);
    let rules = &rules.in_arms(&arms(&doc, policy, &mut context));
    let policy = rules.policy(policy.currency).unwrap_or(policy);
    let story = compiled(file, &doc, policy, creditor, rules, &mut context);
    match story {
        Some(story) if context.found.is_empty() => Ok(story),
        _ => Err(context.found),
    }
}

/// The arms that the debtor is in.
fn arms(doc: &StoryDoc, policy: &Policy, context: &mut Context<'_>) -> Vec<ArmTaken> {
    let experiments = policy.trials.as_ref().map_or(&[][..], |trials| trials.experiments());
    let mut arms = Vec::new();
    for (name, arm) in &doc.arms {
        match experiments.iter().find(|one| one.name.as_str() == name) {
            Some(one) => {
                arms.push(ArmTaken { experiment: one.name.clone(), arm: arm.value.into() });
            }
            None => {
                let names = experiments.iter().map(|one| one.name.as_str());
                let help = did_you_mean(name, names).unwrap_or_default();
                let message = format!("the policy has no experiment `{}`", short(name));
                context.error(arm.place, message, &help);
            }
        }
    }
    arms
}

fn compiled(
    file: &Path,
    doc: &StoryDoc,
    policy: &Arc<Policy>,
    creditor: &CreditorFile,
    rules: &Arc<Rules>,
    context: &mut Context<'_>,
) -> Option<Story> {
    if doc.test.trim().is_empty() {
        context.error(doc.test.place, "this is empty", "say in one sentence what the story shows");
    }
    for (list, number, what) in [
        (doc.events.place, doc.events.len(), "events"),
        (doc.expect.place, doc.expect.len(), "expectations"),
    ] {
        if number > MOST {
            let message = format!("a story has {MOST} {what} at most, this one has {number}");
            context.error(list, message, "write several stories");
            return None;
        }
    }
    if doc.expect.is_empty() {
        context.error(doc.expect.place, "nothing is expected", "write at least `nothing else`");
    }
    let profile = debtor(&doc.debtor, policy, creditor, context);
    let debtor = DebtorId::new("story").ok()?;
    let account = AccountId { creditor: creditor.creditor.id.clone(), debtor };
    let zone = &creditor.creditor.zone;
    let moment = |day: Date, time: Option<DateTime>| {
        let local = time.unwrap_or_else(|| day.at(0, 0, 0, 0));
        local.to_zoned(zone.clone()).map_or(Timestamp::MAX, |at| at.timestamp())
    };
    let mut teller = Teller::new(account.clone(), policy.currency, profile.clone());
    let (mut events, told) = told(&doc.events, &mut teller, &moment, context);
    let mut reader = Reader { policy, mentioned: Vec::new(), latest: None, moment: &moment };
    let (expected, asked) = asked(&doc.expect, &mut reader, &moment, context);
    for (invoice, place) in told.mentioned.into_iter().chain(asked.mentioned) {
        if !teller.issued.contains(&invoice) {
            let issued = teller.issued.iter().map(InvoiceId::as_str);
            let near = did_you_mean(invoice.as_str(), issued);
            let help = near.unwrap_or_else(|| {
                format!("write an event `invoice {invoice} of 89.90 due 2026-03-15`")
            });
            context.error(place, format!("no event issues the invoice {invoice}"), &help);
        }
    }
    let latest = [told.latest, asked.latest, teller.latest, reader.latest];
    let latest = latest.into_iter().flatten().max();
    let Some(latest) = latest else {
        context.error(doc.events.place, "the story names no day", "begin with an invoice");
        return None;
    };
    let last = match &doc.until {
        None => Some(latest).max(teller.last_rate)?.checked_add(1.year()).ok()?,
        Some(until) => {
            let Some(day) = words::day(until.as_str()) else {
                let message = format!("`{}` is not a day", short(until));
                context.error(until.place, message, "write it as 2026-12-01");
                return None;
            };
            if day < latest {
                let help = format!("write {latest} or later, or leave it out");
                context.error(until.place, format!("the story goes on until {latest}"), &help);
            }
            day
        }
    };
    if let Some(first) = events.first_mut() {
        first.deeds.insert(0, Deed::Fact(Fact::DebtorUpdated { profile }));
    }
    Some(Story {
        file: file.to_owned(),
        test: doc.test.trim().to_owned(),
        guards: doc.guards.iter().map(|guard| guard.value).collect(),
        account,
        rules: Arc::clone(rules),
        policy: Arc::clone(policy),
        events,
        expected,
        end: end_of(last, &moment),
    })
}

/// The last second of `day`.
fn end_of(day: Date, moment: &dyn Fn(Date, Option<DateTime>) -> Timestamp) -> Timestamp {
    let next = day.tomorrow().unwrap_or(day);
    moment(next, None).saturating_sub(1.second()).unwrap_or(Timestamp::MAX)
}

/// What the lines of a list name.
#[derive(Default)]
struct Named {
    mentioned: Vec<(InvoiceId, Place)>,
    latest: Option<Date>,
}

type MomentOf<'a> = &'a dyn Fn(Date, Option<DateTime>) -> Timestamp;

fn told(
    lines: &[At<EventLine>],
    teller: &mut Teller,
    moment: MomentOf<'_>,
    context: &mut Context<'_>,
) -> (Vec<Event>, Named) {
    let mut events: Vec<Event> = Vec::new();
    let mut named = Named::default();
    for line in lines {
        let EventLine(Line { when, says }) = &line.value;
        let Some(when) = when else {
            let help = "write the day before it: `2026-03-01: invoice …`";
            context.error(line.place, "an event needs its day", help);
            continue;
        };
        let Some((day, time)) = day_of(line.place, when, context) else { continue };
        named.latest = named.latest.max(Some(day));
        let at = moment(day, time);
        if events.last().is_some_and(|before| at < before.at) {
            let place = key_place(line.place, when);
            let help = "write events in the order of time";
            context.error(place, "this is before the event above it", help);
        }
        match teller.read(says, day, at) {
            Ok(deeds) => events.push(Event {
                at,
                timed: time.is_some(),
                line: line.place.line,
                text: says.to_string(),
                deeds,
            }),
            Err(unread) => unreadable(says, line.place, unread, context),
        }
        let mentioned = teller.mentioned.drain(..);
        named.mentioned.extend(mentioned.map(|(invoice, (start, end))| {
            (invoice, sentence_place(says, line.place, start, end, context))
        }));
        if teller.issued.len() > MOST {
            let message = format!("a story has {MOST} invoices at most");
            context.error(line.place, message, "write several stories");
            break;
        }
    }
    (events, named)
}

fn asked(
    lines: &[At<ExpectLine>],
    reader: &mut Reader<'_>,
    moment: MomentOf<'_>,
    context: &mut Context<'_>,
) -> (Vec<Expected>, Named) {
    let mut expected: Vec<Expected> = Vec::new();
    let mut named = Named::default();
    let mut before: Option<Timestamp> = None;
    for line in lines {
        let ExpectLine(Line { when, says }) = &line.value;
        let when = match when {
            None => When::AtTheEnd,
            Some(text) => {
                let Some((day, time)) = day_of(line.place, text, context) else { continue };
                named.latest = named.latest.max(Some(day));
                // A day alone may stand before or behind moments of that day.
                let (earliest, at) = (time.unwrap_or(day.at(23, 59, 59, 0)), moment(day, time));
                if before.is_some_and(|before| moment(day, Some(earliest)) < before) {
                    let place = key_place(line.place, text);
                    let help = "write expectations in the order of time";
                    context.error(place, "this is before the line above it", help);
                }
                before = before.max(Some(at));
                match time {
                    None => When::Day(day),
                    Some(_) => When::At(day, at),
                }
            }
        };
        match reader.read(says, when) {
            Ok(what) => {
                let (line, text) = (line.place.line, says.to_string());
                expected.push(Expected { when, line, text, what });
            }
            Err(unread) => unreadable(says, line.place, unread, context),
        }
        let mentioned = reader.mentioned.drain(..);
        named.mentioned.extend(mentioned.map(|(invoice, (start, end))| {
            (invoice, sentence_place(says, line.place, start, end, context))
        }));
    }
    (expected, named)
}

fn day_of(place: Place, text: &str, context: &mut Context<'_>) -> Option<(Date, Option<DateTime>)> {
    match words::when(text) {
        Ok(found) => Some(found),
        Err((message, help)) => {
            context.error(key_place(place, text), message, help);
            None
        }
    }
}

/// The place of the key of the line at `place`.
fn key_place(place: Place, key: &str) -> Place {
    Place { length: key.chars().count(), ..place }
}

fn sentence_place(
    says: &At<Sentence>,
    line: Place,
    start: usize,
    end: usize,
    context: &Context<'_>,
) -> Place {
    // A sentence alone has the place of its line; it begins there.
    match says.place.line {
        0 => {
            let before = says.get(..start).unwrap_or_default().chars().count();
            let length = says.get(start..end).unwrap_or_default().chars().count();
            Place { line: line.line, column: line.column + before, length: length.max(1) }
        }
        _ => context.inside(says, start, end),
    }
}

fn unreadable(says: &At<Sentence>, line: Place, unread: Unread, context: &mut Context<'_>) {
    let place = sentence_place(says, line, unread.start, unread.end, context);
    context.report(Severity::Error, place, unread.message, unread.help);
}

/// By when somebody born on a day is of age, however long ago that is.
fn minor_until(born_on: Date) -> Option<Date> {
    law::minor_until(born_on, born_on)
}

fn debtor(
    doc: &At<DebtorDoc>,
    policy: &Policy,
    creditor: &CreditorFile,
    context: &mut Context<'_>,
) -> DebtorProfile {
    let mut language = policy.languages.first().cloned().unwrap_or_default();
    if let Some(told) = &doc.language {
        if is_language(told) {
            language = told.to_string();
        } else {
            let message = format!("`{}` is not a language", short(told));
            context.error(told.place, message, "write it as BCP 47: de, en, de-AT");
        }
    }
    let mut country = creditor.address.country.clone();
    if let Some(told) = &doc.country {
        if told.len() == 2 && told.bytes().all(|letter| letter.is_ascii_uppercase()) {
            country = told.to_string();
        } else {
            let message = format!("`{}` is not a country", short(told));
            context.error(told.place, message, "write two letters: DE");
        }
    }
    if let Some(told) = &doc.region
        && format!("DE-{}", told.value).parse::<Region>().is_err()
        && country == "DE"
    {
        let message = format!("`{}` is no federal state", short(told));
        context.error(told.place, message, "write two letters: NW");
    }
    if let Some(told) = &doc.timezone {
        context.zone(told, told.place);
    }
    if let Some(told) = &doc.hours {
        context.read::<Hours>(told, told.place);
    }
    let born_on = doc.birth_date.as_ref().and_then(|told| {
        let born_on = words::birth(told.as_str());
        if born_on.is_none() {
            let message = format!("`{}` is not a day of birth", short(told));
            context.error(told.place, message, "write it as 2009-05-14");
        }
        born_on
    });
    let harmless = creditor.harmless_attributes.iter().map(String::as_str);
    for (name, value) in &doc.attributes {
        if !creditor.harmless_attributes.contains(name) {
            let message = format!("`{}` is no harmless attribute of the creditor", short(name));
            let help = did_you_mean(name, harmless.clone()).unwrap_or_else(|| {
                format!("list it under `harmless_attributes` of {}", creditor.file.display())
            });
            context.error(value.place, message, &help);
        }
    }
    let attributes = doc.attributes.iter();
    DebtorProfile {
        kind: match doc.kind {
            KindDoc::Consumer => DebtorKind::Consumer,
            KindDoc::Business => DebtorKind::Business,
        },
        language,
        country,
        region: doc.region.as_ref().map(|region| region.value.clone()),
        timezone: doc.timezone.as_ref().map(|zone| zone.to_string()),
        reachable: doc.reachable(),
        prefers: doc.prefers(),
        pays_with: doc.pays_with(),
        hours: doc.hours.as_ref().map(|hours| hours.to_string()),
        sms_consent: doc.sms_consent,
        vulnerable: doc.vulnerable,
        address_researched: false,
        represented: doc.represented,
        minor_until: born_on.and_then(minor_until),
        birth_told: if born_on.is_some() { BirthTold::Here } else { BirthTold::Never },
        attributes: attributes.map(|(name, value)| (name.clone(), value.value.clone())).collect(),
    }
}
