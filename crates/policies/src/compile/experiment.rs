//! Experiments: shares and paths are checked here, and each variant of the file is compiled like a
//! file of its own, so that every rule for a policy holds for all of them.

use std::{collections::BTreeMap, sync::Arc};

use kulanz_domain::{
    ids::ExperimentName,
    money::Decimal,
    policy::{Experiment, MOST_EXPERIMENTS, Policy, Trials, WHOLE},
};

use super::{CompiledPolicy, one};
use crate::{
    context::{Context, short},
    creditor::CreditorFile,
    diagnostic::{Diagnostic, did_you_mean},
    file::{
        Percent,
        experiment::{Change, ExperimentDoc, PersonaChange, PolicyChange, StepChange, To},
        policy::PolicyDoc,
    },
    yaml::At,
};

/// The policy with what is tried in some of its experiments.
pub(crate) struct Variant {
    /// The file, changed.
    pub doc: PolicyDoc,
    pub compiled: CompiledPolicy,
    tries: Tries,
}

/// Which experiments a variant tries.
struct Tries {
    names: String,
    /// The path to which findings elsewhere in the file are put down.
    first: At<String>,
    /// Lines of what is tried, from and to.
    lines: Vec<(usize, usize)>,
}

/// Compiles what `doc` tries, and puts it into `plain`.
pub(super) fn add(
    doc: &PolicyDoc,
    plain: &mut CompiledPolicy,
    creditor: &CreditorFile,
    context: &mut Context<'_>,
) {
    let Some(docs) = doc.experiments.as_ref().filter(|docs| !docs.is_empty()) else { return };
    if context.found.iter().any(Diagnostic::is_error) {
        return; // what follows from an error is not told
    }
    let Some(experiments) = experiments(docs, doc, context) else { return };
    let mut treated: Vec<Policy> = vec![plain.policy.clone()];
    for bits in 1..1usize << docs.len() {
        let tried = docs.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
        let tried: Vec<usize> = tried.map(|(at, _)| at).collect();
        let Some((tries, varied)) = varied(doc, docs, &tried, context) else { return };
        let mut own = Context::new(context.source);
        let compiled = one(&varied, creditor, &plain.hash, &mut own);
        tries.tell(own.found, context);
        let Some(compiled) = compiled else { continue };
        treated.push(compiled.policy.clone());
        plain.variants.push(Variant { doc: varied, compiled, tries });
    }
    plain.policy.trials = Trials::new(experiments, &treated).map(Arc::new);
}

/// The experiments, where nothing is wrong with any of them.
fn experiments(
    docs: &[At<ExperimentDoc>],
    doc: &PolicyDoc,
    context: &mut Context<'_>,
) -> Option<Vec<Experiment>> {
    if let Some(more) = docs.get(MOST_EXPERIMENTS) {
        let message = format!("a policy has {MOST_EXPERIMENTS} experiments at most");
        let help = "each more halves what the others can show: end one first";
        context.error(more.experiment.place, message, help);
        return None;
    }
    let mut found = Vec::new();
    let mut paths: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    for (at, one) in docs.iter().enumerate() {
        let name: Option<ExperimentName> = context.read(&one.experiment, one.experiment.place);
        if docs.iter().take(at).any(|other| other.experiment.as_str() == one.experiment.as_str()) {
            let message = format!("there are two experiments `{}`", short(&one.experiment));
            context.error(one.experiment.place, message, "names are used once");
        }
        let shares = shares(one, context);
        if one.r#override.0.is_empty() {
            let help = "write what differs: override: { personas.regular.hours: \"18:00-19:00\" }";
            context.error(one.r#override.place, "nothing is tried here", help);
        }
        for change in &one.r#override.0 {
            path(change, doc, context);
            let path = change.path.as_str();
            if let Some((other, line)) = paths.get(path) {
                let message = format!("`{}` is changed by `{}` too", short(path), short(other));
                let help = format!(
                    "it is tried in line {line} already: what one did could not be told from the \
                     other"
                );
                context.error(change.path.place, message, &help);
            }
            paths.insert(path, (one.experiment.as_str(), change.path.place.line));
        }
        let experiment = name.zip(shares);
        found.extend(experiment.map(|(name, (treated, control))| Experiment {
            name,
            treated,
            control,
        }));
    }
    let errors = context.found.iter().any(Diagnostic::is_error);
    (!errors && found.len() == docs.len()).then_some(found)
}

/// Shares of the treated and of those they are compared with, in millionths.
fn shares(doc: &ExperimentDoc, context: &mut Context<'_>) -> Option<(u32, u32)> {
    let told = doc.control.as_ref();
    let treated = share(&doc.share, "nobody would be treated", context);
    let control = match told {
        Some(at) => share(at, "nobody would be compared with the treated", context),
        None => treated,
    };
    let (treated, control) = (treated?, control?);
    if treated + control > WHOLE {
        let place = told.map_or(doc.share.place, |at| at.place);
        let help = match told {
            Some(_) => "together they can be 100% at most",
            None => {
                "the control arm is as large as `share`, and both cannot be more than 100%: give \
                 it a `control` of its own"
            }
        };
        context.error(place, "there are not that many accounts", help);
        return None;
    }
    Some((treated, control))
}

fn share(at: &At<Percent>, nobody: &str, context: &mut Context<'_>) -> Option<u32> {
    let percent = context.percent(at, at.place)?;
    if percent > Decimal::ONE_HUNDRED {
        context.error(at.place, format!("`{}` is more than all accounts", short(at)), "");
        return None;
    }
    let millionths = percent * Decimal::from(WHOLE / 100);
    if !millionths.fract().is_zero() {
        let message = format!("`{}` is a finer share than can be drawn", short(at));
        context.error(at.place, message, "four decimals at most");
        return None;
    }
    let millionths = u32::try_from(millionths.trunc()).ok()?;
    if millionths == 0 {
        context.error(at.place, nobody, "write more than 0%, or remove the experiment");
        return None;
    }
    Some(millionths)
}

/// Reports a path that leads nowhere.
fn path(change: &Change, doc: &PolicyDoc, context: &mut Context<'_>) {
    let (path, place) = (change.path.as_str(), change.path.place);
    let missing = |kind: &str, name: &str, names: Vec<&str>| {
        let help = did_you_mean(name, names.iter().copied())
            .unwrap_or_else(|| format!("the policy has {}", names.join(", ")));
        (format!("there is no {kind} `{}`", short(name)), help)
    };
    let (message, help) = match &change.to {
        To::Persona(name, _) => {
            let names: Vec<&str> = doc.personas.iter().map(|one| one.persona.as_str()).collect();
            if names.contains(&name.as_str()) {
                return;
            }
            missing("persona", name, names)
        }
        To::Step(name, _) => {
            let names: Vec<&str> = doc.steps.iter().map(|one| one.step.as_str()).collect();
            if names.contains(&name.as_str()) {
                return;
            }
            missing("step", name, names)
        }
        To::Policy(_) => return,
        To::UnknownKey(keys) => {
            let key = path.rsplit('.').next().unwrap_or_default();
            let help = did_you_mean(key, keys.iter().copied())
                .unwrap_or_else(|| format!("these can: {}", keys.join(", ")));
            (format!("`{}` cannot be tried there", short(key)), help)
        }
        To::Unknown => {
            let help = did_you_mean(path, PolicyChange::KEYS.iter().copied());
            let help = help.unwrap_or_else(|| {
                format!(
                    "write `personas.<name>.{}`, `steps.<name>.{}`, or one of {}",
                    PersonaChange::KEYS.join("|"),
                    StepChange::KEYS.join("|"),
                    PolicyChange::KEYS.join(", ")
                )
            });
            (format!("`{}` cannot be tried", short(path)), help)
        }
    };
    context.error(place, message, &help);
}

/// The file with what the experiments at `tried` change.
fn varied(
    doc: &PolicyDoc,
    docs: &[At<ExperimentDoc>],
    tried: &[usize],
    context: &Context<'_>,
) -> Option<(Tries, PolicyDoc)> {
    let mut varied = doc.clone();
    varied.experiments = None;
    let (mut names, mut lines, mut first) = (Vec::new(), Vec::new(), None);
    for one in tried.iter().filter_map(|at| docs.get(*at)) {
        names.push(format!("`{}`", one.experiment.as_str()));
        lines.push(lines_of(one, context));
        for change in &one.r#override.0 {
            first.get_or_insert_with(|| change.path.clone());
            match &change.to {
                To::Persona(name, to) => {
                    let found = varied.personas.value.iter_mut();
                    found
                        .filter(|one| one.persona.as_str() == name)
                        .for_each(|one| to.apply(&mut one.value));
                }
                To::Step(name, to) => {
                    let found = varied.steps.value.iter_mut();
                    found
                        .filter(|one| one.step.as_str() == name)
                        .for_each(|one| to.apply(&mut one.value));
                }
                To::Policy(to) => to.apply(&mut varied),
                To::UnknownKey(_) | To::Unknown => {}
            }
        }
    }
    let tries = Tries { names: names.join(" and "), first: first?, lines };
    Some((tries, varied))
}

/// The lines of what an experiment tries: its own, and those below that are indented further than
/// the list of experiments.
fn lines_of(doc: &ExperimentDoc, context: &Context<'_>) -> (usize, usize) {
    let lines = || context.source.text.lines();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let item = lines().nth(doc.experiment.place.line.saturating_sub(1)).map_or(0, indent);
    let first = doc.r#override.place.line;
    let belongs = |line: &&str| line.trim().is_empty() || indent(line) > item;
    (first, first + lines().skip(first).take_while(belongs).count())
}

impl Variant {
    /// Reports what was found in this variant and not without what it tries.
    pub(crate) fn tell(&self, found: Vec<Diagnostic>, context: &mut Context<'_>) {
        self.tries.tell(found, context);
    }
}

impl Tries {
    /// Findings at what is tried stay where they are. What it does to the rest of the file is told
    /// at its first path, with the line.
    fn tell(&self, found: Vec<Diagnostic>, context: &mut Context<'_>) {
        for one in found {
            let here = |(from, to): &(usize, usize)| (*from..=*to).contains(&one.line);
            if context.found.contains(&one) {
                continue;
            }
            if self.lines.iter().any(here) {
                context.found.push(one);
                continue;
            }
            let (names, message) = (&self.names, &one.message);
            let told = match one.line {
                0 => format!("with {names}: {message}"),
                line => format!("with {names}: {message} (line {line})"),
            };
            let told_before = |before: &Diagnostic| {
                before.message.ends_with(&format!(": {message} (line {})", one.line))
            };
            if !context.found.iter().any(told_before) {
                context.report(one.severity, self.first.place, told, one.help);
            }
        }
    }
}
