//! Steps that come too late: that expire before they can happen, and where claims enter that were
//! overdue long before the policy met them.
//!
//! What is looked at is the ladder as it runs when nothing holds it up. A hold, a dispute or a
//! version of before can still bring a step about that is told of here: these are warnings.

use jiff::civil::Weekday;
use kulanz_domain::{
    calendar::Span,
    contact::ContactWindow,
    policy::{Anchor, Step, StepAction},
};

use super::{
    Subject,
    reach::{Reach, setting, shown, wanted},
};
use crate::{
    condition::{Answer, Setting},
    context::{Context, short},
    file::policy::StepDoc,
    yaml::At,
};

/// A due date that falls on free days is put off by no more than this: no row of them is longer.
const ROLLED: i64 = 7;

/// Reports steps that expire too early, and claims that enter where they get nowhere.
pub(super) fn check(subject: &Subject<'_>, reach: &Reach, context: &mut Context<'_>) {
    let policy = subject.policy();
    for (place, step) in policy.steps.iter().enumerate() {
        let Some(doc) = subject.doc.steps.get(place) else { continue };
        let (Some(expires), Some(at)) = (step.expires, &doc.expires) else { continue };
        let personas = reach.personas(subject, place, None);
        if personas.is_empty() {
            continue; // that it is never reached was told
        }
        let sends = !matches!(step.action, StepAction::HandOff { .. } | StepAction::Quiet);
        if !in_time(subject, reach, (place, step), &personas, expires) {
            let message = format!("`{}` expires before its condition can hold", step.name);
            context.warning(at.place, message, &example(step, doc, expires));
        } else if let Some((day, opens)) = personas
            .iter()
            .filter(|_| sends)
            .filter_map(|persona| policy.personas.get(*persona))
            .find_map(|persona| closed_longer(&persona.window, expires))
        {
            let message = format!("where its day is a {day:?}, `{}` never comes", step.name);
            let help = format!(
                "nobody is contacted before {opens:?}, and it expires after {}: let more time pass",
                short(at)
            );
            context.warning(at.place, message, &help);
        }
    }
    entry(subject, reach, context);
}

/// Calendar days that a span has at most.
fn most_days(span: Span) -> i64 {
    match span {
        Span::Days(n) => i64::from(n),
        Span::Weeks(n) => i64::from(n) * 7,
        // Each week has five, and no more than a row of free days comes on top.
        Span::BusinessDays(n) => i64::from(n) * 7 / 5 + 2 + ROLLED,
    }
}

/// Whether somebody can get the step before it expires. Only steps that count from the due date
/// have a day that is known ahead.
fn in_time(
    subject: &Subject<'_>,
    reach: &Reach,
    (place, step): (usize, &Step),
    personas: &[usize],
    expires: Span,
) -> bool {
    if step.at.anchor != Anchor::Due || step.at.before || step.when.is_none() {
        return true;
    }
    personas.iter().any(|persona| {
        let Some(pace) = subject.policy().personas.get(*persona).map(|one| one.pace) else {
            return true;
        };
        let latest = most_days(step.at.span.paced(pace)).max(ROLLED) + most_days(expires);
        let setting = setting(subject, *persona, Some(place));
        let setting = Setting { overdue: (setting.overdue.0, Some(latest)), ..setting };
        reach.ask(&wanted(subject, *persona, &[place]), &setting) != Answer::Never
    })
}

/// `` `claim.days_overdue >= 30` is false on each day from `due + 14d` to 3d after it ``.
fn example(step: &Step, doc: &At<StepDoc>, expires: Span) -> String {
    let when = step.when.as_ref().map_or_else(String::new, |when| shown(&when.source));
    format!("`{when}` is false on each day from `{}` to {expires} after it", short(&doc.at))
}

/// A day of the week on which nobody is contacted and from which the next opening lies beyond
/// `expires`; and the day of that opening.
fn closed_longer(window: &ContactWindow, expires: Span) -> Option<(Weekday, Weekday)> {
    let days = match expires {
        Span::Days(n) => n,
        Span::Weeks(n) => n.saturating_mul(7),
        Span::BusinessDays(0) => 0,
        // The days in between are no business days, as a rule.
        Span::BusinessDays(_) => return None,
    };
    Weekday::Monday.cycle_forward().take(7).find_map(|day| {
        if window.hours_on(day).is_some() {
            return None;
        }
        let (gap, opens) = (0..)
            .zip(day.cycle_forward().take(7))
            .find(|(_, later)| window.hours_on(*later).is_some())?;
        (days < gap).then_some((day, opens))
    })
}

/// Whether claims that were old when the policy met them get anywhere from where they enter.
fn entry(subject: &Subject<'_>, reach: &Reach, context: &mut Context<'_>) {
    let policy = subject.policy();
    let at = subject.doc.start.as_ref().and_then(|start| start.enter_at.as_ref());
    let (Some(at), Some(entry)) = (at, policy.entry) else { return };
    let Some(step) = policy.steps.get(entry.step) else { return };
    let overdue = policy.meets_overdue_days;
    match &step.action {
        StepAction::Notice => {
            let message = format!("no claim that is overdue takes `{}`", step.name);
            context.warning(at.place, message, "it comes before the due date: name a later step");
            return;
        }
        StepAction::HandOff { .. } => {
            let message = format!("nobody who enters at `{}` was warned", step.name);
            let help = "a hand-off insists on the step it counts from: let claims enter there";
            context.warning(at.place, message, help);
            return;
        }
        StepAction::Quiet
        | StepAction::Reminder
        | StepAction::Mahnung
        | StepAction::Offer { .. } => {}
    }
    let personas = reach.personas(subject, entry.step, None);
    let takes = |persona: &usize| {
        let setting = setting(subject, *persona, Some(entry.step));
        let setting = Setting { overdue: (Some(i64::from(overdue) + 1), None), ..setting };
        reach.ask(&wanted(subject, *persona, &[entry.step]), &setting) != Answer::Never
    };
    if !personas.is_empty() && !personas.iter().any(takes) {
        let message = format!("no claim enters at `{}`", step.name);
        let when = step.when.as_ref().map_or_else(String::new, |when| shown(&when.source));
        let help = format!(
            "a claim that is {} days overdue never has `{when}`",
            overdue.saturating_add(1)
        );
        context.warning(at.place, message, &help);
    }
    for hand_off in policy.steps.iter().skip(entry.step) {
        let StepAction::HandOff { .. } = hand_off.action else { continue };
        let mut anchor = hand_off.at.anchor;
        while let Anchor::Step(named) = anchor {
            let Some(before) = policy.steps.get(named) else { break };
            if named < entry.step {
                let message =
                    format!("claims that enter at `{}` never reach `{}`", step.name, hand_off.name);
                let help = format!(
                    "it insists on `{}`, which they pass over: let them enter there, or count it \
                     from a later step",
                    before.name
                );
                context.warning(at.place, message, &help);
                break;
            }
            anchor = match before.is_quiet() {
                true => before.at.anchor,
                false => break,
            };
        }
    }
}
