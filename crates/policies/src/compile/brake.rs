//! The brake of a policy: limits that can be reached, and at least one of them.

use std::num::NonZeroU32;

use kulanz_domain::brake::Brake;

use crate::{context::Context, file::policy::PolicyDoc, yaml::At};

/// The limits; the outer `None` where an error was reported.
pub(super) fn brake(doc: &PolicyDoc, context: &mut Context<'_>) -> Option<Option<Brake>> {
    let Some(brake) = &doc.brake else { return Some(None) };
    let mut limit = |name: &str, least: u32, at: &Option<At<u32>>| match at {
        None => Some(None),
        Some(at) if at.value < least => {
            let message = match at.value {
                0 => format!("`{name}: 0` would never send anything"),
                _ => format!("`{name}: {}` would stop on every day above the usual", at.value),
            };
            context.error(at.place, message, &format!("write {least} or more"));
            None
        }
        Some(at) => Some(NonZeroU32::new(at.value)),
    };
    let per_hour = limit("per_hour", 1, &brake.per_hour);
    let per_day = limit("per_day", 1, &brake.per_day);
    let times_usual = limit("times_usual", 2, &brake.times_usual);
    let found = Brake { per_hour: per_hour?, per_day: per_day?, times_usual: times_usual? };
    if found == (Brake { per_hour: None, per_day: None, times_usual: None }) {
        let help = "write { per_hour: 2000, per_day: 10000, times_usual: 5 }, or some of them";
        context.error(brake.place, "a brake without a limit would stop nothing", help);
        return None;
    }
    if let (Some(hour), Some(day), Some(at)) = (found.per_hour, found.per_day, &brake.per_day)
        && day < hour
    {
        let message =
            format!("`per_day: {day}` is less than `per_hour: {hour}`, which it makes idle");
        context.error(
            at.place,
            message,
            &format!("write {hour} or more, or leave one of them out"),
        );
        return None;
    }
    Some(Some(found))
}

/// Told of a policy that is well otherwise: it can do without, and should know.
pub(super) fn note_absence(doc: &PolicyDoc, context: &mut Context<'_>) {
    if doc.brake.is_none() {
        let message = "without a `brake` nothing stops a flood of messages";
        let help = "add brake: { per_hour: 2000, per_day: 10000, times_usual: 5 }";
        context.note(doc.policy.place, message, help);
    }
}
