//! Who can get what: personas that nobody can be, steps that never happen, steps that happen at
//! once. Decided by a search over the facts' values, which shows an example or names the parts
//! that exclude one another; where the search cannot tell, a note says so and nothing else.

use std::{cell::Cell, collections::BTreeSet, sync::Arc};

use kulanz_domain::{
    calendar::Span,
    fact::DebtorKind,
    money::{Decimal, decimals, plain},
    policy::{Anchor, InterestClaimed, Law, StepAction},
};

use super::{Subject, moments};
use crate::{
    condition::{Answer, Bool, Compiled, MOST, Setting, Wanted, Word, search, values_of},
    context::{Context, short},
    file::{Cel, policy::StepDoc},
    yaml::At,
};

/// With more parts than this no smallest contradiction is looked for.
const PARTS: usize = 16;
/// Kinds of debtors that a hand-off and the step before it are compared for, at most.
const KINDS: usize = 200;

/// Which persona can get which step.
pub(super) struct Reach {
    /// By step and persona.
    steps: Vec<Vec<bool>>,
    left: Cell<u64>,
}

/// One of several things that cannot all be so, in words.
struct Part<'a> {
    told: String,
    wanted: Wanted<'a>,
}

impl Reach {
    /// The personas that may get the step at `place`; with `kind`, as debtors of that kind.
    pub fn personas(
        &self,
        subject: &Subject<'_>,
        place: usize,
        kind: Option<DebtorKind>,
    ) -> Vec<usize> {
        let table = self.steps.get(place).map_or(&[][..], Vec::as_slice);
        let reached = table.iter().enumerate().filter(|(_, reached)| **reached);
        let reached = reached.map(|(persona, _)| persona);
        if kind.is_none() {
            return reached.collect();
        }
        let may = |persona: &usize| {
            let setting = Setting { kind, ..setting(subject, *persona, Some(place)) };
            let wanted = wanted(subject, *persona, &[place]);
            self.ask(&wanted, &setting) != Answer::Never
        };
        reached.filter(may).collect()
    }

    pub fn ask(&self, wanted: &[Wanted<'_>], setting: &Setting) -> Answer {
        let mut left = self.left.get();
        let answer = search(wanted, setting, &mut left);
        self.left.set(left);
        answer
    }

    /// The fewest of `parts` that already exclude one another.
    fn conflict<'p, 'a>(&self, parts: &'p [Part<'a>], setting: &Setting) -> Vec<&'p Part<'a>> {
        let mut kept: Vec<&Part<'_>> = parts.iter().collect();
        if kept.len() > PARTS {
            return Vec::new();
        }
        let mut at = 0;
        while at < kept.len() {
            let without: Vec<Wanted<'_>> = kept
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, part)| part.wanted)
                .collect();
            match self.ask(&without, setting) {
                Answer::Never => drop(kept.remove(at)),
                Answer::Found(_) | Answer::Unsure => at += 1,
            }
        }
        kept
    }
}

/// Reports what can never happen, and says who can get what.
pub(super) fn check(subject: &Subject<'_>, context: &mut Context<'_>) -> Reach {
    let mut reach = Reach { steps: Vec::new(), left: Cell::new(MOST) };
    personas(subject, &reach, context);
    steps(subject, &mut reach, context);
    at_once(subject, &reach, context);
    reach
}

fn condition(of: &[Option<Compiled>], at: usize) -> Option<&Compiled> {
    of.get(at).and_then(Option::as_ref)
}

/// `persona` is the one that is chosen, and the conditions of the steps at `places` hold.
pub(super) fn wanted<'a>(
    subject: &Subject<'a>,
    persona: usize,
    places: &[usize],
) -> Vec<Wanted<'a>> {
    let compiled = subject.compiled;
    let chosen = compiled.persona_conditions.iter().take(persona + 1).enumerate();
    let chosen = chosen.filter_map(|(at, condition)| {
        condition.as_ref().map(|condition| (&*condition.tree, at == persona))
    });
    let guards = places.iter().filter_map(|at| condition(&compiled.step_conditions, *at));
    guards.map(|condition| (&*condition.tree, true)).chain(chosen).collect()
}

/// What is known of everybody who is `persona` when the step at `place` is due; of everybody who
/// is asked which persona they are, where there is no step.
pub(super) fn setting(subject: &Subject<'_>, persona: usize, place: Option<usize>) -> Setting {
    let policy = subject.policy();
    let mut setting = Setting::new(policy.currency);
    setting.without_interest = policy.interest.claimed == InterestClaimed::None;
    let cent = Decimal::new(1, decimals(policy.currency).unwrap_or(2));
    let least = if place.is_some() { policy.minimum.max(cent) } else { cent };
    setting.owed = setting.without_interest.then_some(least);
    let Some(persona) = policy.personas.get(persona) else { return setting };
    let Some(step) = place.and_then(|place| policy.steps.get(place)) else { return setting };
    setting.persona = Some(Arc::from(persona.name.as_str()));
    setting.in_default = matches!(step.action, StepAction::HandOff { .. })
        && subject.creditor.creditor.law != Law::None;
    setting.overdue = overdue(step, persona.pace);
    setting
}

/// Days overdue between which a step can happen.
fn overdue(step: &kulanz_domain::policy::Step, pace: Decimal) -> (Option<i64>, Option<i64>) {
    let days = |span: Span| match span {
        Span::Days(n) | Span::BusinessDays(n) => i64::from(n),
        Span::Weeks(n) => i64::from(n) * 7,
    };
    let of_due = step.at.anchor == Anchor::Due && !step.at.before;
    let from_due = of_due.then(|| days(step.at.span.paced(pace)));
    match step.action {
        // A business day before the due date may be many days before it.
        StepAction::Notice => match (step.at.anchor, step.at.span) {
            (Anchor::Due, Span::Days(_) | Span::Weeks(_)) if step.at.before => {
                (Some(-days(step.at.span.paced(pace.max(Decimal::ONE)))), Some(-1))
            }
            _ => (None, Some(-1)),
        },
        StepAction::Reminder | StepAction::Quiet
            if !matches!(step.at.anchor, Anchor::Step(_) | Anchor::Default) =>
        {
            (from_due, None)
        }
        _ => (Some(from_due.unwrap_or(1).max(1)), None),
    }
}

fn unsure(at: &At<Cel>, what: &str, context: &mut Context<'_>) {
    let message = format!("whether {what} cannot be told");
    let help = "its conditions compare facts with one another, or there are too many of them";
    context.note(at.place, message, help);
}

fn personas(subject: &Subject<'_>, reach: &Reach, context: &mut Context<'_>) {
    let conditions = &subject.compiled.persona_conditions;
    for (at, doc) in subject.doc.personas.iter().enumerate() {
        let name = short(&doc.persona);
        let everybody = setting(subject, at, None);
        let (Some(when), Some(compiled)) = (&doc.when, condition(conditions, at)) else {
            if reach.ask(&wanted(subject, at, &[]), &everybody) == Answer::Never {
                let message = format!("nobody is left for `{name}`");
                let help = "the personas above take all; it stays as the one for the unforeseen";
                context.note(doc.persona.place, message, help);
            }
            continue;
        };
        if reach.ask(&[(&compiled.tree, false)], &everybody) == Answer::Never {
            let help = "the personas below are never chosen";
            return context.warning(when.place, "this is always true", help);
        }
        match reach.ask(&wanted(subject, at, &[]), &everybody) {
            Answer::Found(_) => continue,
            Answer::Unsure => {
                unsure(when, &format!("anybody can be `{name}`"), context);
                continue;
            }
            Answer::Never => {}
        }
        match reach.ask(&[(&compiled.tree, true)], &everybody) {
            Answer::Never => {
                let parts: Vec<Part<'_>> = compiled.parts().map(part("")).collect();
                let help = excluding(&reach.conflict(&parts, &everybody));
                context.warning(when.place, format!("nobody can be `{name}`"), &help);
            }
            Answer::Found(example) => {
                let mut parts: Vec<Part<'_>> = Vec::new();
                for (above, other) in subject.doc.personas.iter().zip(conditions).take(at) {
                    parts.extend(other.as_ref().map(|other| Part {
                        told: format!("`{}`", short(&above.persona)),
                        wanted: (&*other.tree, false),
                    }));
                }
                let mut all = parts.len();
                parts.push(Part { told: String::new(), wanted: (&*compiled.tree, true) });
                let kept = reach.conflict(&parts, &everybody);
                let mut takers: Vec<&str> = kept.iter().map(|part| part.told.as_str()).collect();
                takers.retain(|taker| !taker.is_empty());
                if takers.is_empty() {
                    all = 0;
                }
                let takers = match all {
                    0 => "those above take".to_owned(),
                    _ if takers.len() == 1 => format!("{} above takes", takers.join("")),
                    _ => format!("{} above take", takers.join(" and ")),
                };
                let message = format!("nobody can be `{name}`: {takers} all its people");
                let help = format!(
                    "for example where {}: move it up, or change one of them",
                    example.told()
                );
                context.warning(when.place, message, &help);
            }
            Answer::Unsure => unsure(when, &format!("anybody can be `{name}`"), context),
        }
    }
}

/// A part of a condition, and whose it is.
fn part<'a>(whose: &str) -> impl Fn((&'a str, &'a Bool)) -> Part<'a> {
    move |(text, tree)| Part { told: format!("`{}`{whose}", shown(text)), wanted: (tree, true) }
}

/// A condition on one line.
pub(super) fn shown(text: &str) -> String {
    short(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn excluding(parts: &[&Part<'_>]) -> String {
    let told: Vec<&str> = parts.iter().map(|part| part.told.as_str()).collect();
    match told.as_slice() {
        [] => String::new(),
        [one] => format!("{one} is never true"),
        [first @ .., last] => format!("{} and {last} exclude one another", first.join(", ")),
    }
}

fn steps(subject: &Subject<'_>, reach: &mut Reach, context: &mut Context<'_>) {
    let policy = subject.policy();
    let mut handed_off: Option<&str> = None;
    let mut dead: BTreeSet<usize> = BTreeSet::new();
    for (place, step) in policy.steps.iter().enumerate() {
        let mut table = Vec::with_capacity(policy.personas.len());
        let mut sure = false;
        for persona in 0..policy.personas.len() {
            let setting = setting(subject, persona, Some(place));
            let answer = reach.ask(&wanted(subject, persona, &[place]), &setting);
            sure |= matches!(answer, Answer::Found(_));
            table.push(answer != Answer::Never);
        }
        let reached = table.iter().any(|reached| *reached);
        reach.steps.push(table);
        let Some(doc) = subject.doc.steps.get(place) else { continue };
        let follows = match (&step.action, step.at.anchor) {
            (StepAction::HandOff { .. }, Anchor::Step(named)) => Some(named),
            _ => None,
        };
        if let Some(before) = handed_off {
            let message = format!("`{}` is never reached", step.name);
            let help = format!("`{before}` hands every claim off before it");
            context.warning(doc.step.place, message, &help);
            dead.insert(place);
        } else if !reached {
            dead.insert(place);
            let at = doc.when.as_ref().map_or(doc.step.place, |when| when.place);
            let message = format!("`{}` is never reached", step.name);
            context.warning(at, message, &never(subject, reach, place));
        } else if follows.is_some_and(|named| dead.contains(&named)) {
            dead.insert(place); // told at the step that it follows
        } else if let (Some(when), false) = (&doc.when, sure) {
            unsure(when, &format!("`{}` is ever reached", step.name), context);
        } else if let Some(named) = follows {
            follow(subject, reach, (place, doc), named, context);
        }
        if matches!(step.action, StepAction::HandOff { .. }) && step.when.is_none() {
            handed_off = handed_off.or(Some(step.name.as_str()));
        }
    }
}

/// Why nobody gets the step at `place`.
fn never(subject: &Subject<'_>, reach: &Reach, place: usize) -> String {
    let compiled = subject.compiled;
    let policy = subject.policy();
    let Some(guard) = condition(&compiled.step_conditions, place) else { return String::new() };
    let own: Vec<Part<'_>> = guard.parts().map(part("")).collect();
    let alone: Vec<Wanted<'_>> = own.iter().map(|part| part.wanted).collect();
    let named = |persona: usize| {
        let name = policy.personas.get(persona).map(|persona| Arc::from(persona.name.as_str()));
        Setting { persona: name, ..Setting::new(policy.currency) }
    };
    let fits: Vec<usize> = (0..policy.personas.len())
        .filter(|persona| reach.ask(&alone, &named(*persona)) != Answer::Never)
        .collect();
    let earliest = |persona: &&usize| setting(subject, **persona, Some(place)).overdue.0;
    let Some(first) = fits.iter().min_by_key(earliest).copied() else {
        let told = excluding(&reach.conflict(&own, &named(0)));
        return match told.is_empty() {
            true => "its condition is false for every persona".to_owned(),
            false => format!("{told}, for every persona"),
        };
    };
    let full = setting(subject, first, Some(place));
    if let Some(step) = policy.steps.get(place)
        && reach.ask(&alone, &full) == Answer::Never
    {
        // The condition alone can hold, but not when this step is due.
        let days = match full.overdue {
            (_, Some(_)) => "a notice comes before the due date".to_owned(),
            (Some(n), None) => {
                format!("the step comes {n} days after the due date at the earliest")
            }
            (None, None) => String::new(),
        };
        let least = plain(policy.minimum, policy.currency);
        let reasons = [
            (Setting { overdue: (None, None), ..full.clone() }, days),
            (
                Setting { owed: None, ..full.clone() },
                format!("less than the `minimum` of {least} is never dunned"),
            ),
            (
                Setting { in_default: false, ..full.clone() },
                "nothing is handed off before default".to_owned(),
            ),
            (
                Setting { without_interest: false, owed: None, ..full.clone() },
                "this policy claims no interest".to_owned(),
            ),
        ];
        let reason =
            reasons.into_iter().find(|(setting, _)| reach.ask(&alone, setting) != Answer::Never);
        return reason.map_or_else(
            || format!("its condition is false whenever `{}` is due", step.name),
            |(_, told)| told,
        );
    }
    let name = policy.personas.get(first).map_or("", |persona| persona.name.as_str());
    let mut parts = own;
    if let Some(chosen) = condition(&compiled.persona_conditions, first) {
        parts.extend(chosen.parts().map(part(&format!(" of `{name}`"))));
    }
    for (above, other) in policy.personas.iter().zip(&compiled.persona_conditions).take(first) {
        parts.extend(other.as_ref().map(|other| Part {
            told: format!("not being `{}`", above.name),
            wanted: (&*other.tree, false),
        }));
    }
    match excluding(&reach.conflict(&parts, &full)) {
        told if told.is_empty() => "its condition is false for every persona".to_owned(),
        told => told,
    }
}

/// Whether whoever gets a hand-off can have got the step that it insists on.
fn follow(
    subject: &Subject<'_>,
    reach: &Reach,
    (place, doc): (usize, &At<StepDoc>),
    named: usize,
    context: &mut Context<'_>,
) {
    let (Some(when), Some(before)) = (&doc.when, subject.policy().steps.get(named)) else { return };
    let all = 0..subject.policy().personas.len();
    let trees = |place: usize| -> Vec<&Bool> {
        let last = all.end.saturating_sub(1);
        wanted(subject, last, &[place]).into_iter().map(|(tree, _)| tree).collect()
    };
    let (ours, theirs) = (trees(place), trees(named));
    // What seldom changes between two steps.
    let mut kinds = vec![Vec::new()];
    let mut read = Vec::new();
    let attributes = subject.creditor.harmless_attributes.iter();
    let attributes = attributes.map(|name| Word::Attribute(Arc::from(name.as_str())));
    for word in [Word::Kind, Word::Country, Word::Language].into_iter().chain(attributes) {
        let (Some(mine), Some(other)) = (values_of(&word, &ours), values_of(&word, &theirs)) else {
            continue;
        };
        let mut values = mine;
        values.extend(other);
        values.sort();
        values.dedup();
        read.push(word.name());
        kinds = kinds
            .iter()
            .flat_map(|kind| {
                values.iter().map(|value| {
                    let mut kind: Vec<(Word, Option<Arc<str>>)> = kind.clone();
                    kind.push((word.clone(), value.clone()));
                    kind
                })
            })
            .collect();
        if kinds.len() > KINDS {
            return;
        }
    }
    let gets = |place: usize, fixed: &Vec<(Word, Option<Arc<str>>)>| {
        all.clone().any(|persona| {
            let setting = setting(subject, persona, Some(place));
            let setting = Setting { fixed: fixed.clone(), ..setting };
            reach.ask(&wanted(subject, persona, &[place]), &setting) != Answer::Never
        })
    };
    if kinds.iter().any(|fixed| gets(place, fixed) && gets(named, fixed)) {
        return;
    }
    let message = format!(
        "`{}` is never reached: `{}`, which it follows, goes to others alone",
        short(&doc.step),
        before.name
    );
    let help = format!("give both the same condition; they differ in {}", read.join(", "));
    context.warning(when.place, message, &help);
}

/// Messages that somebody gets at the same moment.
fn at_once(subject: &Subject<'_>, reach: &Reach, context: &mut Context<'_>) {
    let policy = subject.policy();
    let moments = moments(policy);
    for (place, step) in policy.steps.iter().enumerate() {
        let sends = |step: &kulanz_domain::policy::Step| {
            !matches!(step.action, StepAction::HandOff { .. } | StepAction::Quiet)
        };
        let same = |earlier: usize| {
            let before = policy.steps.get(earlier)?;
            let exact = |at: usize| moments.get(at)?.filter(|(_, exact)| *exact);
            let equal = before.at == step.at
                || exact(earlier).is_some_and(|moment| exact(place) == Some(moment));
            (equal && sends(before) && sends(step) && before.deadline.is_none()).then_some(before)
        };
        for (earlier, before) in (0..place).filter_map(|at| Some((at, same(at)?))) {
            let met = (0..policy.personas.len()).find_map(|persona| {
                let setting = setting(subject, persona, Some(place));
                match reach.ask(&wanted(subject, persona, &[earlier, place]), &setting) {
                    Answer::Found(_) => policy.personas.get(persona),
                    Answer::Never | Answer::Unsure => None,
                }
            });
            if let (Some(persona), Some(doc)) = (met, subject.doc.steps.get(place)) {
                let message =
                    format!("`{}` is due at the same moment as `{}`", step.name, before.name);
                let help = format!(
                    "`{}` hears of it twice within a day: let days pass, or make one of them a \
                     step for others",
                    persona.name
                );
                context.warning(doc.at.place, message, &help);
                break;
            }
        }
    }
}
