//! Steps: what happens when.

use std::collections::BTreeMap;

use kulanz_domain::{
    calendar::Span,
    ids::{AgencyId, StepName},
    money::{Currency, Decimal},
    policy::{Anchor, Moment, PlanTerms, Release, Step, StepAction},
};

use super::{arc, bare, harmless, moment::moment};
use crate::{
    condition::{Compiled, Scope},
    context::{Context, short},
    creditor::CreditorFile,
    diagnostic::{Severity, did_you_mean},
    file::policy::{HandOffDoc, PlanDoc, ReleaseDoc, SendDoc, StepDoc},
    yaml::At,
};

/// What steps are checked against.
pub(super) struct Known<'a> {
    pub creditor: &'a CreditorFile,
    pub currency: Currency,
    pub personas: &'a [&'a str],
}

/// All steps, with their conditions; `None` where an error was reported.
pub(super) fn steps(
    docs: &At<Vec<At<StepDoc>>>,
    known: &Known<'_>,
    context: &mut Context<'_>,
) -> (Option<Vec<Step>>, Vec<Option<Compiled>>) {
    let ladder: Vec<&str> = docs.iter().map(|step| step.step.as_str()).collect();
    if ladder.is_empty() {
        context.error(docs.place, "there is no step", "add one: - step: reminder");
    }
    let mut first_line: BTreeMap<&str, usize> = BTreeMap::new();
    let mut steps = Vec::new();
    let mut conditions = Vec::new();
    for (place, doc) in docs.iter().enumerate() {
        let name = doc.step.as_str();
        if matches!(name, "due" | "issued" | "default") {
            let message = format!("a step cannot be called `{name}`");
            context.error(doc.step.place, message, "moments count from it: take another name");
        }
        if let Some(line) = first_line.get(name) {
            let message = format!("there are two steps `{}`", short(name));
            let help = format!("the first stands in line {line}; names are used once");
            context.error(doc.step.place, message, &help);
        }
        first_line.entry(name).or_insert(doc.step.place.line);
        let condition = doc.when.as_ref().and_then(|when| {
            let compiled = context.condition(when, Scope::Step { personas: known.personas })?;
            harmless(when, &compiled, known.creditor, context);
            Some(compiled)
        });
        steps.push(step(doc, place, &ladder, &condition, known, context));
        conditions.push(condition);
    }
    warned_first(docs, &steps, context);
    (steps.into_iter().collect(), conditions)
}

fn step(
    doc: &At<StepDoc>,
    place: usize,
    ladder: &[&str],
    condition: &Option<Compiled>,
    known: &Known<'_>,
    context: &mut Context<'_>,
) -> Option<Step> {
    let name: Option<StepName> = context.read(&doc.step, doc.step.place);
    let at = match moment(&doc.at, ladder, place) {
        Ok(at) => Some(at),
        Err(e) => {
            context.report(Severity::Error, doc.at.place, e.message, e.help);
            None
        }
    };
    let action = action(doc, known, context);
    if action == Some(StepAction::Quiet) {
        speechless(doc, context);
    }
    if let (Some(at), Some(action)) = (&at, &action) {
        timing(doc, at, action, context);
    }
    let sends = doc.send.as_ref().map(|send| send.value);
    let deadline = match &doc.deadline {
        Some(at) => {
            if !matches!(sends, Some(SendDoc::Reminder | SendDoc::Mahnung | SendDoc::Offer)) {
                let message = "this step names no deadline to anybody";
                context.error(at.place, message, "reminders, mahnungen and offers do");
            }
            let span = context.read::<Span>(at, at.place);
            short_deadline(at, span, context);
            span.map(Some)
        }
        None => Some(None),
    };
    let fee = match &doc.fee {
        Some(at) => {
            let fee = context.amount(at, at.place, known.currency);
            if sends != Some(SendDoc::Mahnung) && fee.is_some_and(|fee| !fee.is_zero()) {
                let help = "nothing can be charged before default: only `send: mahnung` has a fee";
                context.error(at.place, "this step carries no fee", help);
            }
            fee
        }
        None => Some(Decimal::ZERO),
    };
    let lump_sum = doc.lump_sum.as_ref().is_some_and(|at| {
        if at.value && sends != Some(SendDoc::Mahnung) {
            let help = "it is damage of default: only `send: mahnung` can charge it";
            context.error(at.place, "this step charges no lump sum", help);
        }
        at.value
    });
    let stop_delivery = doc.stop_delivery.as_ref().is_some_and(|stop| {
        let early = at.is_some_and(|at| at.before || at.anchor == Anchor::Issued);
        if stop.value && (early || sends == Some(SendDoc::Notice)) {
            let help = "deliveries go on until a claim is late: let a later step stop them";
            context.error(stop.place, "this step can come before the due date", help);
        }
        stop.value
    });
    let expires = match &doc.expires {
        Some(at) => context.read::<Span>(at, at.place).map(Some),
        None => Some(None),
    };
    let text = doc.text.as_ref().map_or(doc.step.as_str(), |text| text.as_str());
    if let Some(at) = &doc.text
        && StepName::new(text).is_err()
    {
        let message = format!("`{}` cannot be the name of a text", short(text));
        context.error(at.place, message, "it is part of file names: write it as `last-call`");
    }
    Some(Step {
        name: name?,
        action: action?,
        at: at?,
        deadline: deadline?,
        fee: fee?,
        lump_sum,
        stop_delivery,
        expires: expires?,
        when: bare(condition),
        text: arc(text),
    })
}

fn action(doc: &At<StepDoc>, known: &Known<'_>, context: &mut Context<'_>) -> Option<StepAction> {
    if let Some(plans) = &doc.plans
        && doc.send.as_ref().is_none_or(|send| send.value != SendDoc::Offer)
    {
        context.error(plans.place, "only an offer has plans", "write `send: offer`");
    }
    match (&doc.send, &doc.hand_off) {
        (Some(send), None) => match send.value {
            SendDoc::Notice => Some(StepAction::Notice),
            SendDoc::Reminder => Some(StepAction::Reminder),
            SendDoc::Mahnung => Some(StepAction::Mahnung),
            SendDoc::Nothing => Some(StepAction::Quiet),
            SendDoc::Offer => match &doc.plans {
                Some(plans) if !plans.is_empty() => {
                    let plans: Vec<_> =
                        plans.iter().map(|plan| terms(plan, known.currency, context)).collect();
                    let plans = plans.into_iter().collect::<Option<_>>()?;
                    Some(StepAction::Offer { plans })
                }
                _ => {
                    let help = "add plans: [{ rates: 3, at_least: 20.00 }]";
                    context.error(send.place, "this offer has no plans", help);
                    None
                }
            },
        },
        (None, Some(hand_off)) => self::hand_off(hand_off, known.creditor, context),
        (Some(_), Some(hand_off)) => {
            let message = "a step sends something or hands off, not both";
            context.error(hand_off.place, message, "make it two steps");
            None
        }
        (None, None) => {
            let message = format!("the step `{}` does nothing", short(&doc.step));
            context.error(doc.step.place, message, "add `send: reminder`, or `hand_off: …`");
            None
        }
    }
}

fn hand_off(
    doc: &At<HandOffDoc>,
    creditor: &CreditorFile,
    context: &mut Context<'_>,
) -> Option<StepAction> {
    let agency: Option<AgencyId> = context.read(&doc.agency, doc.agency.place);
    if let Some(agency) = &agency
        && !creditor.creditor.agencies.contains(agency)
    {
        let names = creditor.agencies.iter().map(|agency| agency.id.as_str());
        let help = did_you_mean(agency.as_str(), names)
            .unwrap_or_else(|| format!("add it under `agencies` in {}", creditor.file.display()));
        let message = format!("`{}` works with no agency `{agency}`", creditor.id());
        context.error(doc.agency.place, message, &help);
    }
    let release = match doc.release.as_ref().map(|release| (release.value, release.place)) {
        None | Some((ReleaseDoc::FourEyes, _)) => Release::FourEyes,
        Some((ReleaseDoc::OnePerson, _)) => Release::OnePerson,
        Some((ReleaseDoc::Automatic, place)) => {
            if doc.ground.as_ref().is_none_or(|ground| ground.trim().is_empty()) {
                let help = "a hand-off has a significant effect on people (Art. 22 GDPR): say why \
                            nobody needs to look, in `ground`";
                context.error(place, "an automatic release needs its ground", help);
            }
            Release::Automatic
        }
    };
    Some(StepAction::HandOff { agency: agency?, release })
}

fn terms(doc: &At<PlanDoc>, currency: Currency, context: &mut Context<'_>) -> Option<PlanTerms> {
    if !(2..=36).contains(&doc.rates) {
        context.error(doc.place, format!("a plan of {} rates", doc.rates), "2 to 36 are possible");
    }
    let first_percent = match &doc.first {
        Some(at) => {
            let share = context.percent(at, at.place);
            let good = |share: &Decimal| *share > Decimal::ZERO && *share < Decimal::ONE_HUNDRED;
            if share.is_some_and(|share| !good(&share)) {
                let message = format!("`{}` cannot be the first rate", short(at));
                context.error(at.place, message, "more than 0% and less than 100%");
            }
            Some(share?)
        }
        None => None,
    };
    let at_least = context.amount(&doc.at_least, doc.at_least.place, currency)?;
    Some(PlanTerms { rates: doc.rates, first_percent, at_least })
}

/// A step that sends nothing needs no text.
fn speechless(doc: &StepDoc, context: &mut Context<'_>) {
    if let Some(text) = &doc.text {
        context.error(text.place, "a step that sends nothing has no text", "leave it out");
    }
}

/// Whoever goes to an agency was warned: a hand-off counts from a message, maybe by way of steps
/// that send nothing.
fn warned_first(docs: &[At<StepDoc>], steps: &[Option<Step>], context: &mut Context<'_>) {
    let step = |at: usize| steps.get(at).and_then(Option::as_ref);
    for (doc, hand_off) in docs.iter().zip(steps).filter_map(|(doc, s)| Some((doc, s.as_ref()?))) {
        let StepAction::HandOff { .. } = hand_off.action else { continue };
        let mut anchor = hand_off.at.anchor;
        let mut quiet = None;
        while let Anchor::Step(at) = anchor {
            let Some(before) = step(at).filter(|before| before.is_quiet()) else { break };
            (anchor, quiet) = (before.at.anchor, Some(&before.name));
        }
        if let (Some(quiet), false) = (quiet, matches!(anchor, Anchor::Step(_))) {
            let message = format!("nobody is warned before `{}`", hand_off.name);
            let help = format!("`{quiet}` sends nothing: let it count from a message");
            context.error(doc.at.place, message, &help);
        }
    }
}

/// Whether the moment fits what is done then.
fn timing(doc: &At<StepDoc>, at: &Moment, action: &StepAction, context: &mut Context<'_>) {
    let place = doc.at.place;
    let to_date = matches!(at.anchor, Anchor::Due | Anchor::Issued);
    let nothing = matches!(at.span, Span::Days(0) | Span::BusinessDays(0) | Span::Weeks(0));
    match action {
        StepAction::Notice => {
            let late = at.anchor == Anchor::Due && !at.before && !nothing;
            if late || !to_date {
                let help = "write `due - 3d`; after the due date use `send: reminder`";
                context.error(place, "a notice goes out before the due date", help);
            }
        }
        StepAction::HandOff { .. } => {
            if !matches!(at.anchor, Anchor::Step(_)) {
                let help = "people are warned first: `last-call + 14d`";
                context.error(place, "a hand-off counts from an earlier step", help);
            }
        }
        StepAction::Quiet => {}
        StepAction::Reminder | StepAction::Mahnung | StepAction::Offer { .. } => {
            if at.before || (at.anchor == Anchor::Due && nothing) {
                let help = "before it use `send: notice`";
                context.error(place, "nothing is asked for until the due date is over", help);
            }
        }
    }
}

fn short_deadline(at: &At<crate::file::Days>, span: Option<Span>, context: &mut Context<'_>) {
    let days = match span {
        Some(Span::Days(n) | Span::BusinessDays(n)) => n,
        Some(Span::Weeks(n)) => n.saturating_mul(7),
        None => return,
    };
    if days < 5 {
        let message = format!("a deadline of {} is too short to act on", short(at));
        context.warning(at.place, message, "transfers take days: give 7d or more");
    }
}
