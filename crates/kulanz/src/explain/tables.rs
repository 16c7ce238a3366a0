//! What the decision rests on, as tables.

use jiff::tz::TimeZone;
use kulanz_domain::{
    decision::{
        ClaimExplained, ContactExplained, CurrencyExplained, Explanation, Happened, StepExplained,
        StepState, WaitReason,
    },
    fact::Channel,
    ids::{NoticeId, OverrideId},
    money::{Currency, Money, plain},
    policy::{Arm, InterestClaimed, Rules},
};

use super::words;

/// All tables, by currency.
pub fn of(told: &Explanation, rules: &Rules) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(stop) = &told.delivery_stop {
        lines.push(format!("\n  {}", crate::account::delivery(stop)));
    }
    for (place, one) in told.overrides.iter().enumerate() {
        let apart = if place == 0 { "\n" } else { "" };
        lines.push(format!("{apart}  override {}  {}", one.id, crate::overrides::said(one)));
    }
    for one in &told.currencies {
        currency(one, rules, &mut lines);
    }
    lines
}

/// Rows with columns of equal width, to the left.
fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        let cells = rows.iter().filter(|row| row.len() > at + 1).filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..most).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("  {cell:<width$}"));
        format!("  {}", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

fn currency(one: &CurrencyExplained, rules: &Rules, lines: &mut Vec<String>) {
    let code = one.currency.code();
    let open = Money::new(one.open, one.currency);
    lines.push(String::new());
    lines.push(match &one.policy {
        Some(by) => {
            format!("{open} open, policy {} version {} ({})", by.name, by.version, by.hash)
        }
        None => format!("{open} open; no policy for {code}"),
    });
    for taken in &one.arms {
        let of = match taken.arm {
            Arm::Treated => "what it tries holds here",
            Arm::Control => "compared, the policy as it is",
        };
        lines.push(format!("experiment {}: {}, {of}", taken.experiment, taken.arm.name()));
    }
    if !one.unallocated.is_zero() {
        lines.push(format!("{} waits as credit", Money::new(one.unallocated, one.currency)));
    }
    if !one.facts.is_empty() {
        lines.push("\n  Facts".to_owned());
        let facts = one.facts.iter().map(|fact| {
            let value = fact.value.as_ref().map_or_else(String::new, ToString::to_string);
            vec![fact.fact.clone(), value]
        });
        lines.extend(columns(&facts.collect::<Vec<_>>()));
    }
    if !one.personas.is_empty() {
        lines.push("\n  Personas, top down: the first that matches".to_owned());
        let personas = one.personas.iter().map(|persona| {
            let mark = match (persona.chosen, persona.matches) {
                (true, _) => "chosen",
                (false, true) => "matches",
                (false, false) => "no",
            };
            let because = match &persona.when {
                _ if persona.chosen_by.is_some() => {
                    let by = persona.chosen_by.as_ref().map_or("", OverrideId::as_str);
                    format!("a person said so, override {by}")
                }
                Some(_) => words::parts(&persona.because),
                None => "always matches".to_owned(),
            };
            vec![persona.persona.to_string(), mark.to_owned(), because]
        });
        lines.extend(columns(&personas.collect::<Vec<_>>()));
    }
    if let Some(found) = &one.contact {
        lines.push("\n  Contact".to_owned());
        lines.extend(columns(&contact(found, &rules.creditor.zone)));
    }
    for found in &one.claims {
        claim(found, one.currency, rules, lines);
    }
}

fn contact(found: &ContactExplained, zone: &TimeZone) -> Vec<Vec<String>> {
    let row = |name: &str, text: String| vec![name.to_owned(), text];
    let state = if found.open { "open" } else { "closed" };
    let hours = found.hours_today.as_deref().unwrap_or("none");
    let mut rows = vec![row("window", format!("{state}; today {hours} in {}", found.zone))];
    for cap in &found.caps {
        let (times, days) = (cap.at_most.times, cap.at_most.within_days);
        let counted: Vec<String> = cap.counted.iter().map(|at| words::short(*at, zone)).collect();
        let counted = match counted.is_empty() {
            true => "none counted".to_owned(),
            false => format!("counted {}: {}", counted.len(), counted.join(", ")),
        };
        let until = cap
            .until
            .map_or_else(String::new, |at| format!("; full until {}", words::short(at, zone)));
        let name = format!("cap of the {}", cap.of);
        rows.push(row(&name, format!("{times} in {days} days, {counted}{until}")));
    }
    let channel = found.channel.map_or("none", words::channel);
    let over = found.passed_over.iter();
    let over: Vec<String> = over.map(|(one, gap)| passed(*one, words::gap(*gap))).collect();
    let over = if over.is_empty() { String::new() } else { format!(" ({})", over.join("; ")) };
    rows.push(row("channel", format!("{channel}{over}")));
    let possible = found.next_possible;
    let possible = possible.map_or("not within 60 days".to_owned(), |at| words::short(at, zone));
    rows.push(row("possible from", possible));
    rows
}

fn passed(channel: Channel, gap: &str) -> String {
    format!("not {}: {gap}", words::channel(channel))
}

fn claim(found: &ClaimExplained, currency: Currency, rules: &Rules, lines: &mut Vec<String>) {
    let zone = &rules.creditor.zone;
    let open = Money::new(found.open, currency);
    lines.push(format!("\n  {} due {}, {open} open", found.invoice, found.due_on));
    let row = |name: &str, text: String| vec![name.to_owned(), text];
    let mut rows = Vec::new();
    if let Some(stop) = &found.blocked
        && let Some(reason) = &stop.waits
    {
        let until =
            stop.until.map_or_else(String::new, |at| format!(", until {}", words::short(at, zone)));
        rows.push(row("blocked", format!("{}{until}", words::reason(reason, rules))));
    }
    rows.push(row(
        "default",
        match &found.default {
            Some(default) => {
                let since = if default.begun { "since" } else { "from" };
                let by = default.notice.as_ref().map_or_else(String::new, |n| format!(", {n}"));
                format!("{since} {}: {}{by}", default.from, words::ground(default.ground))
            }
            None => "not yet (§ 286 BGB)".to_owned(),
        },
    ));
    if let Some(interest) = &found.interest {
        let claimed = match &interest.claimed {
            InterestClaimed::None => "none".to_owned(),
            InterestClaimed::Statutory => "statutory".to_owned(),
            InterestClaimed::Percent(most) => format!("{most} % at most"),
        };
        let rate = match (interest.percent, interest.base_percent) {
            (Some(percent), Some(base)) => format!(", {percent} % (base rate {base} %)"),
            (Some(percent), None) => format!(", {percent} %"),
            _ => String::new(),
        };
        let owed = plain(interest.owed, currency);
        let to = interest.to.map_or_else(String::new, |day| format!(" up to {day}"));
        let count = interest.count.name();
        rows.push(row("interest", format!("{claimed}{rate}, {count}: {owed}{to}")));
    }
    if let Some(day) = found.limitation_act_by {
        rows.push(row("limitation", format!("the last day to act is {day} (§§ 195 to 214 BGB)")));
    }
    lines.extend(columns(&rows));
    let mut steps = Vec::new();
    for step in &found.steps {
        let day = match (&step.state, step.not_before) {
            (StepState::Happened(happened), _) => words::short(happened.at, zone),
            (_, Some(day)) => day.strftime("%a %Y-%m-%d").to_string(),
            (_, None) => "-".to_owned(),
        };
        steps.push(vec![step.step.to_string(), step.when_due.clone(), day, state(step, rules)]);
    }
    for former in &found.former_steps {
        let at = words::short(former.at, zone);
        steps.push(vec![former.step.to_string(), "-".to_owned(), at, happened(former)]);
    }
    lines.extend(columns(&steps));
}

/// Where a step stands, in words.
fn state(step: &StepExplained, rules: &Rules) -> String {
    let zone = &rules.creditor.zone;
    let until = |at: &Option<jiff::Timestamp>| {
        at.map_or_else(String::new, |at| format!(", until {}", words::short(at, zone)))
    };
    let condition = step.condition.as_ref().filter(|condition| !condition.holds);
    let mut said = match &step.state {
        StepState::Happened(found) => return happened(found),
        StepState::HandedOver { placement, placement_state } => {
            let stands = format!("{placement_state:?}").to_lowercase();
            return format!("placement {placement}: {stands}");
        }
        StepState::Due => "due now".to_owned(),
        StepState::Blocked { reason, until: at } => {
            format!("blocked: {}{}", words::reason(reason, rules), until(at))
        }
        StepState::Waits { reason: WaitReason::ConditionFalse(_), until: at } => {
            let parts = condition.map(|condition| words::parts(&condition.because));
            format!("no: {}{}", parts.unwrap_or_default(), until(at))
        }
        StepState::Waits { reason: WaitReason::NotBefore, until: at } => {
            let from = at.map_or_else(String::new, |at| format!(" {}", words::short(at, zone)));
            let counted =
                step.counted_from.map_or_else(String::new, |day| format!(", counted from {day}"));
            format!("not before{from}{counted}")
        }
        StepState::Waits { reason, until: at } => {
            format!("waits: {}{}", words::reason(reason, rules), until(at))
        }
        StepState::Skipped => return "skipped: the claim is above it already".to_owned(),
        StepState::Later => "later".to_owned(),
    };
    if let Some(by) = step.put_off_by {
        said.push_str(&format!("; {}", words::put_off(by)));
    }
    if let Some(fee) = &step.fee {
        said.push_str(&format!("; {}", words::fee(fee)));
    }
    if let Some(condition) = condition
        && matches!(
            step.state,
            StepState::Later | StepState::Waits { reason: WaitReason::NotBefore, .. }
        )
    {
        said.push_str(&format!("; as of now no: {}", words::parts(&condition.because)));
    }
    said
}

fn happened(found: &Happened) -> String {
    let by = match (&found.channel, &found.policy) {
        (Some(channel), Some(policy)) => {
            let persona = found.persona.as_ref().map_or_else(String::new, |persona| {
                let because = found.persona_because.as_deref();
                let because = because.map_or_else(String::new, |when| format!(" since {when}"));
                format!(", persona {persona}{because}")
            });
            let version = match found.other_policy {
                true => {
                    format!(", by {} version {} ({})", policy.name, policy.version, policy.hash)
                }
                false => String::new(),
            };
            let notice = found.notice.as_ref().map_or("", NoticeId::as_str);
            format!("by {}, {notice}{persona}{version}", words::channel(*channel))
        }
        _ => match &found.notice {
            Some(notice) => format!("by another sender, {notice}"),
            None => "without a message".to_owned(),
        },
    };
    let deadline = found.deadline.map_or_else(String::new, |day| format!(", to be paid by {day}"));
    format!("happened {by}{deadline}")
}
