//! A plan's figures side by side, in the order in which they are shown, and their words.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kulanz_domain::{fact::Channel, ids::StepName, money::Decimal};
use kulanz_engine::plan::{Aspect, Hindrance, Line, Moment, Side, StepChanges, Stopped};

use super::Plan;

/// A figure in both futures.
pub struct Figure {
    /// What it counts.
    pub label: String,
    /// Under the rules in force.
    pub before: String,
    /// With the candidate.
    pub after: String,
    /// `+3`, `-0.50`; empty where they are the same.
    pub difference: String,
}

/// Figures under a heading.
pub struct Group {
    /// What they are about.
    pub heading: &'static str,
    /// In order.
    pub figures: Vec<Figure>,
}

fn number(label: impl Into<String>, before: u64, after: u64) -> Figure {
    let difference = match after.cmp(&before) {
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Greater => format!("+{}", after - before),
        std::cmp::Ordering::Less => format!("-{}", before - after),
    };
    Figure { label: label.into(), before: before.to_string(), after: after.to_string(), difference }
}

fn amount(label: impl Into<String>, before: Decimal, after: Decimal) -> Figure {
    let scale = before.scale().max(after.scale()).max(2);
    let written = |mut amount: Decimal| {
        amount.rescale(scale);
        amount.to_string()
    };
    let difference = match after - before {
        same if same.is_zero() => String::new(),
        more if more > Decimal::ZERO => format!("+{}", written(more)),
        less => written(less),
    };
    let (label, before, after) = (label.into(), written(before), written(after));
    Figure { label, before, after, difference }
}

fn keyed<'a, K: Ord + 'a>(
    before: &'a BTreeMap<K, u64>,
    after: &'a BTreeMap<K, u64>,
    label: impl Fn(&K) -> String,
) -> Vec<Figure> {
    let keys: BTreeSet<&K> = before.keys().chain(after.keys()).collect();
    let of = |map: &BTreeMap<K, u64>, key: &K| map.get(key).copied().unwrap_or(0);
    keys.into_iter().map(|key| number(label(key), of(before, key), of(after, key))).collect()
}

/// All figures of a plan.
pub fn groups(plan: &Plan) -> Vec<Group> {
    let (old, new) = (&plan.report.in_force, &plan.report.candidate);
    let mut messages = vec![
        number("messages", old.messages, new.messages),
        number("people who get any", old.people, new.people),
    ];
    messages.extend(keyed(&channels(old), &channels(new), |channel| {
        format!("by {}", channel_word(*channel))
    }));
    messages.extend(keyed(&old.personas, &new.personas, |persona| format!("persona {persona}")));
    let mut groups = vec![
        Group { heading: "Messages", figures: messages },
        Group {
            heading: "Claims that take a step",
            figures: in_order(plan)
                .into_iter()
                .map(|step| {
                    let of = |side: &Side| side.claims.get(step).copied().unwrap_or(0);
                    number(step.as_str(), of(old), of(new))
                })
                .collect(),
        },
        Group { heading: "Money", figures: money(plan) },
    ];
    let mut handoffs =
        keyed(&old.handoffs, &new.handoffs, |agency| format!("claims due to go to {agency}"));
    let (lacking, hindered): (Vec<_>, Vec<_>) = keyed_hindrances(old, new)
        .into_iter()
        .partition(|(one, _)| *one == Hindrance::FieldsMissing);
    handoffs.extend(lacking.into_iter().map(|(_, figure)| figure));
    groups.push(Group { heading: "Agencies", figures: handoffs });
    if old.delivery_stops + new.delivery_stops > 0 {
        let stopped =
            number("customers to whom they are stopped", old.delivery_stops, new.delivery_stops);
        groups.push(Group { heading: "Deliveries on account", figures: vec![stopped] });
    }
    groups.push(Group {
        heading: "What moves or stops a step",
        figures: hindered.into_iter().map(|(_, figure)| figure).collect(),
    });
    groups.push(Group { heading: "Brake", figures: brake(plan) });
    groups.retain(|group| !group.figures.is_empty());
    groups
}

/// Where both futures reach the brake; empty where neither has one.
fn brake(plan: &Plan) -> Vec<Figure> {
    let (old, new) = (&plan.report.in_force, &plan.report.candidate);
    if old.brake.is_none() && new.brake.is_none() {
        return Vec::new();
    }
    let row = |label: &str, said: &dyn Fn(&Stopped) -> String, otherwise: bool| {
        let of = |side: &Side| match (&side.stopped, side.brake) {
            (Some(stopped), _) => said(stopped),
            (None, None) if otherwise => "no brake".to_owned(),
            (None, Some(_)) if otherwise => "not reached".to_owned(),
            (None, _) => String::new(),
        };
        Figure { label: label.into(), before: of(old), after: of(new), difference: String::new() }
    };
    let mut rows = vec![row("reached on", &|one| one.on.to_string(), true)];
    if old.stopped.is_some() || new.stopped.is_some() {
        rows.push(row("at", &|one| hour(plan, one.at), false));
        rows.push(row("by the limit", &|one| one.limit.name().to_owned(), false));
        rows.push(row("which lets pass", &|one| one.allowed.to_string(), false));
        let label = "messages of that day that wait for a person";
        rows.push(row(label, &|one| one.waiting.to_string(), false));
    }
    rows
}

/// The time of day in the creditor's zone.
fn hour(plan: &Plan, at: Timestamp) -> String {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%H:%M").to_string()
}

fn keyed_hindrances(old: &Side, new: &Side) -> Vec<(Hindrance, Figure)> {
    let keys: BTreeSet<Hindrance> =
        old.hindered.keys().chain(new.hindered.keys()).copied().collect();
    let of = |side: &Side, key| side.hindered.get(&key).copied().unwrap_or(0);
    let figure = |key| (key, number(hindrance(key), of(old, key), of(new, key)));
    keys.into_iter().map(figure).collect()
}

fn money(plan: &Plan) -> Vec<Figure> {
    let (old, new) = (&plan.report.in_force.money, &plan.report.candidate.money);
    let codes: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut figures = Vec::new();
    for code in codes {
        let old = old.get(code).cloned().unwrap_or_default();
        let new = new.get(code).cloned().unwrap_or_default();
        for (what, before, after) in [
            ("asked for by messages", old.asked, new.asked),
            ("fees charged", old.fees, new.fees),
            ("lump sums charged", old.lump_sums, new.lump_sums),
            ("interest open at the end", old.interest, new.interest),
            ("due to go to agencies", old.handed_over, new.handed_over),
        ] {
            if !before.is_zero() || !after.is_zero() || what.starts_with("asked") {
                figures.push(amount(format!("{what}, {code}"), before, after));
            }
        }
    }
    if let Some(costs) = &plan.costs {
        let (old, new) = (&costs.in_force, &costs.candidate);
        figures.extend(keyed(&old.pieces, &new.pieces, |channel| {
            let piece = match channel {
                Channel::Letter => "letters",
                Channel::Sms => "parts of text messages",
                Channel::Email => "e-mails",
            };
            format!("{piece} to pay for")
        }));
        figures.push(amount(format!("cost of sending, {}", costs.currency), old.total, new.total));
    }
    figures
}

/// Messages by channel.
fn channels(side: &Side) -> BTreeMap<Channel, u64> {
    let mut sum = BTreeMap::new();
    for (channel, more) in side.notices.values().flatten() {
        *sum.entry(*channel).or_default() += more;
    }
    sum
}

/// Steps in the candidate's order, then those that it does not have.
pub fn in_order(plan: &Plan) -> Vec<&StepName> {
    let steps = |version: &super::file::Version| version.steps.clone();
    let mut ladder = steps(&plan.candidate);
    ladder.extend(plan.in_force.as_ref().map(steps).unwrap_or_default());
    let place = |step: &StepName| ladder.iter().position(|one| one == step.as_str());
    let mut found: Vec<&StepName> = plan.report.steps.keys().collect();
    found.sort_by_key(|step| (place(step).unwrap_or(usize::MAX), *step));
    found
}

/// `+`, `-`, `~` or `=`, and what happens to a step.
pub fn step_signs(changes: &StepChanges) -> Vec<(char, String)> {
    let claims = |count: u64| match count {
        1 => "1 claim".to_owned(),
        more => format!("{more} claims"),
    };
    let mut said = Vec::new();
    if changes.new > 0 {
        said.push(('+', format!("new for {}", claims(changes.new))));
    }
    if changes.gone > 0 {
        said.push(('-', format!("gone for {}", claims(changes.gone))));
    }
    if changes.changed > 0 {
        let mut how = Vec::new();
        for (moved, word) in [(changes.earlier, "earlier"), (changes.later, "later")] {
            if let Some(tenths) = (moved.days * 10).checked_div(moved.claims) {
                let days = format!("{}.{} days on average", tenths / 10, tenths % 10);
                how.push(format!("{} {word}, by {days}", moved.claims));
            }
        }
        let moved = changes.earlier.claims + changes.later.claims;
        if changes.changed > moved {
            how.push(format!("{} on the same day in another way", changes.changed - moved));
        }
        said.push(('~', format!("changed for {}: {}", claims(changes.changed), how.join("; "))));
    }
    if changes.same > 0 {
        said.push(('=', format!("the same for {}", claims(changes.same))));
    }
    said
}

/// A line of a list in words: when and how, before and after.
pub fn line_words(line: &Line) -> String {
    match (&line.in_force, &line.candidate) {
        (Some(before), Some(after)) => {
            let aspects: Vec<&str> = line.aspects.iter().map(|one| aspect(*one)).collect();
            format!("{}, then {} ({})", moment(before), moment(after), aspects.join(", "))
        }
        (Some(only), None) | (None, Some(only)) => moment(only),
        (None, None) => String::new(),
    }
}

fn moment(moment: &Moment) -> String {
    let mut said = moment.on.to_string();
    match (&moment.channel, &moment.agency) {
        (Some(channel), _) => said.push_str(&format!(" by {}", channel_word(*channel))),
        (None, Some(agency)) => said.push_str(&format!(" to {agency}")),
        (None, None) => {}
    }
    if let Some(fee) = &moment.fee {
        said.push_str(&format!(" for {fee}"));
    }
    said
}

/// A channel as people call it.
pub const fn channel_word(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "e-mail",
        Channel::Sms => "text message",
        Channel::Letter => "letter",
    }
}

/// In what a step differs.
pub const fn aspect(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Earlier => "earlier",
        Aspect::Later => "later",
        Aspect::Hour => "another hour",
        Aspect::Channel => "another channel",
        Aspect::Persona => "another persona",
        Aspect::Language => "another language",
        Aspect::Tone => "another tone",
        Aspect::Text => "another text",
        Aspect::Wording => "other words",
        Aspect::Fee => "another fee",
        Aspect::LumpSum => "another lump sum",
        Aspect::Deadline => "another deadline",
        Aspect::PayWith => "other ways to pay",
        Aspect::Plans => "other instalments",
        Aspect::Agency => "another agency",
    }
}

/// What stood in the way, as a row of a table.
pub const fn hindrance(hindrance: Hindrance) -> &'static str {
    match hindrance {
        Hindrance::ContactCap => "moved: as many contacts as allowed were made",
        Hindrance::Window => "moved: the contact window is closed on the day",
        Hindrance::FeeLowered => "fee lowered by the law",
        Hindrance::LumpSumRefused => "lump sum not given by the law (§ 288 BGB)",
        Hindrance::NotInDefault => "no handoff: not in default (§ 286 BGB)",
        Hindrance::TimeBarred => "stopped: the claim is barred (§ 214 BGB)",
        Hindrance::FieldsMissing => "claims that lack a field of § 13a RDG",
        Hindrance::HeldBack => "held back: old when the policy met it; a person lets it in",
        Hindrance::BelowMinimum => "not dunned: below the minimum",
        Hindrance::NoChannel => "stopped: no channel reaches the debtor",
    }
}

/// Sentences that stand above the figures.
pub fn head(plan: &Plan) -> (String, Vec<String>) {
    let new = &plan.candidate;
    let title = match &plan.in_force {
        Some(old) if old.policy == new.policy => format!(
            "{} version {} in place of version {}, for {} in {}",
            new.policy,
            new.version,
            old.version,
            plan.creditor,
            plan.currency.code()
        ),
        Some(old) => format!(
            "{} version {} in place of {} version {}, for {} in {}",
            new.policy,
            new.version,
            old.policy,
            old.version,
            plan.creditor,
            plan.currency.code()
        ),
        None => format!(
            "{} version {}, the first policy for {} in {}",
            new.policy,
            new.version,
            plan.creditor,
            plan.currency.code()
        ),
    };
    let mut said = vec![format!(
        "{} days from {}, as if nobody paid and nobody answered, and each message were accepted at \
         once.",
        plan.days,
        crate::http::shown(plan.made_at)
    )];
    if !plan.differs() {
        said.push("These are the files that are in force.".to_owned());
    }
    let report = &plan.report;
    said.push(match report.affected {
        0 => {
            format!("Nothing changes for any of the {} accounts with something open.", report.open)
        }
        affected => format!(
            "It changes something for {affected} of {} accounts with something open ({} in all).",
            report.open, report.accounts
        ),
    });
    for (step, claims) in &report.unknown_steps {
        said.push(format!(
            "{claims} open claims stand on the step {step}, which it does not have: they begin with \
             its lowest step."
        ));
    }
    if report.interest_differs > 0 {
        said.push(format!("Interest differs for {} accounts.", report.interest_differs));
    }
    if let Some(stopped) = &report.candidate.stopped {
        said.push(format!(
            "The brake would stop it on {} at {}: {} of that day would wait until a \
             person releases it.",
            stopped.on,
            hour(plan, stopped.at),
            match stopped.waiting {
                1 => "1 message".to_owned(),
                more => format!("{more} messages"),
            }
        ));
    }
    if plan.costs.is_none() {
        said.push("`prices` in kulanz.yaml would say what the messages cost.".to_owned());
    }
    said.extend(plan.notes.iter().cloned());
    (title, said)
}

/// Messages of a day.
pub fn day(day: Date, old: &BTreeMap<Date, u64>, new: &BTreeMap<Date, u64>) -> Figure {
    let of = |side: &BTreeMap<Date, u64>| side.get(&day).copied().unwrap_or(0);
    number(day.to_string(), of(old), of(new))
}
