//! From a policy file to the [`Policy`] that decisions use: names resolved, numbers exact,
//! conditions compiled. All findings of a file are reported, not just the first.

mod brake;
mod experiment;
mod moment;
mod persona;
mod step;

use std::sync::Arc;

use jiff::civil::Date;
use kulanz_domain::{
    calendar::{Region, Span},
    contact::{ContactCap, ContactWindow, Preset, preset},
    ids::{CreditorId, PolicyName},
    law::{self, interest::DayCount, rates::MOST_DECIMALS},
    money::{self, Currency, Decimal},
    policy::{Bundle, Entry, InterestClaimed, InterestPolicy, Law, Policy, PolicyRef},
};

use self::experiment::Variant;
pub use self::moment::parse_moment;
use crate::{
    condition::Compiled,
    context::{Context, short},
    creditor::CreditorFile,
    diagnostic::{Place, did_you_mean},
    file::{
        Amount, Days,
        policy::{BundleDoc, ContactDoc, DayOfWeek, PolicyDoc},
    },
    yaml::At,
};

/// Claims overdue for longer when a policy first meets them wait for a person.
const MEETS_OVERDUE_DAYS: i32 = 60;

/// A policy with what only `check` needs.
pub(crate) struct CompiledPolicy {
    pub policy: Policy,
    pub valid_from: Option<Date>,
    /// In the order of `policy.personas`.
    pub persona_conditions: Vec<Option<Compiled>>,
    /// In the order of `policy.steps`.
    pub step_conditions: Vec<Option<Compiled>>,
    /// What it becomes with what its experiments try.
    pub variants: Vec<Variant>,
    hash: String,
}

/// Reads `2026-12-31` and nothing else.
pub(crate) fn date(text: &str) -> Option<Date> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    text.parse().ok().filter(|_| plain)
}

/// Compiles `doc`; `None` where an error was reported. `hash` is the policy's content.
pub(crate) fn compile(
    doc: &PolicyDoc,
    creditor: &CreditorFile,
    hash: &str,
    context: &mut Context<'_>,
) -> Option<CompiledPolicy> {
    let mut compiled = one(doc, creditor, hash, context)?;
    experiment::add(doc, &mut compiled, creditor, context);
    Some(compiled)
}

/// Compiles `doc` without what its experiments try.
fn one(
    doc: &PolicyDoc,
    creditor: &CreditorFile,
    hash: &str,
    context: &mut Context<'_>,
) -> Option<CompiledPolicy> {
    let name: Option<PolicyName> = context.read(&doc.policy, doc.policy.place);
    let creditor_id: Option<CreditorId> = context.read(&doc.creditor, doc.creditor.place);
    if doc.version.value == 0 {
        context.error(doc.version.place, "versions count from 1", "");
    }
    let currency = match money::currency(&doc.currency) {
        Ok(currency) => Some(currency),
        Err(e) => {
            context.error(doc.currency.place, e.to_string(), "write a code such as EUR");
            None
        }
    };
    let languages = languages(doc, context);
    let valid_from = doc.valid_from.as_ref().and_then(|day| {
        let date = date(day);
        if date.is_none() {
            let message = format!("`{}` is not a day", short(day));
            context.error(day.place, message, "write it as 2026-12-01");
        }
        date
    });
    let calendar = doc.calendar.as_ref();
    let zone = match calendar.and_then(|calendar| calendar.timezone.as_ref()) {
        Some(zone) => context.zone(zone, zone.place),
        None => Some(creditor.creditor.zone.clone()),
    };
    let region = match calendar.and_then(|calendar| calendar.holidays.as_ref()) {
        Some(region) => context.read::<Region>(region, region.place),
        None => Some(creditor.creditor.region),
    };
    let contact = doc.contact.as_ref();
    let (window, cap) = contact_limits(contact, creditor, region.unwrap_or_default(), context);
    let span = |context: &mut Context<'_>, at: &Option<At<Days>>, default: Span| match at {
        Some(at) => context.read(at, at.place),
        None => Some(default),
    };
    let in_flight = span(context, &doc.in_flight, Span::BusinessDays(2));
    let promise_within = span(context, &doc.promise_within, Span::Days(30));
    let known_currency = currency.unwrap_or(Currency::EUR);
    let amount = |context: &mut Context<'_>, at: &Option<At<Amount>>| match at {
        Some(at) => context.amount(at, at.place, known_currency),
        None => Some(Decimal::ZERO),
    };
    let minimum = amount(context, &doc.minimum);
    let rest_waived = amount(context, &doc.rest_waived);
    let interest = interest(doc, context);
    let start = start(doc, context);
    let spread_minutes = doc.spread_minutes.as_ref().map_or(Some(0), |at| {
        if at.value > 600 {
            context.error(at.place, "messages are spread over ten hours at most", "write 60");
            return None;
        }
        Some(at.value)
    });
    let brake = brake::brake(doc, context);
    let (personas, persona_conditions) = persona::personas(
        &doc.personas,
        &persona::Defaults { window: &window, creditor, languages: &languages },
        context,
    );
    let persona_names: Vec<&str> =
        doc.personas.iter().map(|persona| persona.persona.as_str()).collect();
    let (steps, step_conditions) = step::steps(
        &doc.steps,
        &step::Known { creditor, currency: known_currency, personas: &persona_names },
        context,
    );
    let reference = PolicyRef {
        name: name?,
        version: doc.version.value,
        hash: hash.get(..16).unwrap_or(hash).into(),
    };
    let policy = Policy {
        reference,
        creditor: creditor_id?,
        currency: currency?,
        languages,
        zone: zone?,
        region: region?,
        cap,
        minimum: minimum?,
        bundle: match doc.bundle {
            None | Some(BundleDoc::Account) => Bundle::Account,
            Some(BundleDoc::Claim) => Bundle::Claim,
        },
        interest: interest?,
        rest_waived: rest_waived?,
        in_flight: in_flight?,
        promise_within: promise_within?,
        meets_overdue_days: start?.0,
        entry: start?.1,
        spread_minutes: spread_minutes?,
        brake: brake?,
        personas: personas?,
        steps: steps?,
        trials: None,
        arms: Vec::new(),
    };
    brake::note_absence(doc, context);
    let (variants, hash) = (Vec::new(), hash.to_owned());
    Some(CompiledPolicy { policy, valid_from, persona_conditions, step_conditions, variants, hash })
}

fn languages(doc: &PolicyDoc, context: &mut Context<'_>) -> Vec<String> {
    let mut languages: Vec<String> = Vec::new();
    if doc.languages.is_empty() {
        context.error(doc.languages.place, "there is no language", "name one at least: [de]");
    }
    for at in &doc.languages.value {
        let code = at.value.0.clone();
        if !is_language(&code) {
            let message = format!("`{}` is not a language code", short(&code));
            context.error(at.place, message, "write two or three small letters: de");
        } else if languages.contains(&code) {
            context.warning(at.place, format!("`{code}` stands here twice"), "");
        } else {
            languages.push(code);
        }
    }
    languages
}

/// `de`, `de-AT`.
pub(crate) fn is_language(code: &str) -> bool {
    let (primary, region) = code.split_once('-').map_or((code, None), |(a, b)| (a, Some(b)));
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_lowercase())
        && region.is_none_or(|r| r.len() == 2 && r.bytes().all(|b| b.is_ascii_uppercase()))
}

/// From how many days overdue on a claim is old when the policy first meets it, and where such
/// claims enter; `None` where it is not well-formed.
fn start(doc: &PolicyDoc, context: &mut Context<'_>) -> Option<(i32, Option<Entry>)> {
    let Some(start) = &doc.start else { return Some((MEETS_OVERDUE_DAYS, None)) };
    let longer = context.read::<Span>(&start.overdue_longer_than, start.overdue_longer_than.place);
    let days = longer.and_then(|span| match span {
        Span::Days(n) => Some(n),
        Span::Weeks(n) => Some(n.saturating_mul(7)),
        Span::BusinessDays(_) => {
            let message = "how long a claim is overdue is counted in days or weeks";
            context.error(start.overdue_longer_than.place, message, "write 60d");
            None
        }
    });
    let over = match &start.over {
        Some(over) => context.read::<Span>(over, over.place),
        None => Some(Span::Days(0)),
    };
    let Some(enter_at) = &start.enter_at else { return Some((days?, None)) };
    let mut steps = doc.steps.iter();
    match steps.position(|step| step.step.as_str() == enter_at.as_str()) {
        Some(step) => Some((days?, Some(Entry { step, over: over? }))),
        None => {
            let message = format!("there is no step `{}`", short(enter_at));
            let steps = doc.steps.iter().map(|step| step.step.as_str());
            let help = did_you_mean(enter_at, steps).unwrap_or_default();
            context.error(enter_at.place, message, &help);
            None
        }
    }
}

/// What interest is claimed; `None` where it is not well-formed.
fn interest(doc: &PolicyDoc, context: &mut Context<'_>) -> Option<InterestPolicy> {
    let claimed = match &doc.interest {
        None => InterestClaimed::None,
        Some(told) => match told.as_str() {
            "none" => InterestClaimed::None,
            "statutory" => InterestClaimed::Statutory,
            percent => {
                let percent = context.percent(percent, told.place)?;
                if percent.scale() > MOST_DECIMALS || percent > Decimal::ONE_THOUSAND {
                    let message = format!("{percent}% is no rate of interest");
                    context.error(told.place, message, "up to 1000% with at most six decimals");
                    return None;
                }
                InterestClaimed::Percent(percent)
            }
        },
    };
    Some(InterestPolicy {
        claimed,
        count: doc.day_count.map(DayCount::from).unwrap_or_default(),
        last_day_counts: doc.payment_day_counts.unwrap_or(true),
    })
}

/// What the creditor's law (or, without one, a preset or decency) allows at most.
fn law_limits(law: Law, chosen: Option<Preset>) -> Preset {
    let of_law = law::contact_limits(law).or_else(|| chosen.or_else(|| preset("none")));
    // `de` and `none` are presets that exist; the fallback is the narrowest reading of them.
    of_law.unwrap_or(Preset {
        window: ContactWindow::law_default_de(),
        cap: ContactCap { times: std::num::NonZeroU32::MIN, within_days: WEEK },
    })
}

const WEEK: std::num::NonZeroU32 = match std::num::NonZeroU32::new(7) {
    Some(seven) => seven,
    None => std::num::NonZeroU32::MIN,
};

/// The window and the cap of a policy: its own wishes within the law's limits.
fn contact_limits(
    contact: Option<&At<ContactDoc>>,
    creditor: &CreditorFile,
    region: Region,
    context: &mut Context<'_>,
) -> (ContactWindow, ContactCap) {
    let chosen = contact.and_then(|contact| contact.preset.as_ref());
    let chosen = chosen.and_then(|name| preset(name.value.name()));
    let law = law_limits(creditor.creditor.law, chosen);
    let base = chosen.map_or(law.window, |chosen| chosen.window.intersect(&law.window));
    let mut cap = chosen.map_or(law.cap, |chosen| stricter(chosen.cap, law.cap));
    let base = base.without_holidays_of(region);
    let Some(contact) = contact else {
        return (base, cap);
    };
    let days = contact.days.as_ref().map(|days| {
        for day in days.value.iter().copied().map(weekday) {
            if base.hours_on(day).is_none() {
                let message = format!("no contact is allowed on a {day:?}");
                context.warning(days.place, message, "the law's limits are narrower: remove it");
            }
        }
        days.value.iter().copied().map(weekday).collect::<Vec<_>>()
    });
    let hours = contact.hours.as_ref().and_then(|at| {
        let hours = context.read::<kulanz_domain::contact::Hours>(at, at.place)?;
        let outside = |day: jiff::civil::Weekday| {
            let wanted = days.as_ref().is_none_or(|days| days.contains(&day));
            let open = base.hours_on(day).filter(|_| wanted);
            open.filter(|open| open.intersect(hours) != Some(hours))
        };
        let workday = outside(jiff::civil::Weekday::Wednesday);
        if let Some(open) = workday {
            let message = format!("`{hours}` reaches outside of what is allowed, {open}");
            context.warning(at.place, message, "messages keep to the narrower hours");
        } else if let Some(open) = outside(jiff::civil::Weekday::Saturday) {
            let message = format!("on Saturdays messages keep to {open}");
            context.note(at.place, message, "");
        }
        Some(hours)
    });
    let window = base.narrowed(days.as_deref(), hours);
    if window.is_empty() {
        let help = "its days and hours have nothing in common with what is allowed";
        context.error(contact.place, "nobody could ever be contacted", help);
    }
    if let Some(wish) = &contact.at_most
        && let Some(wished) = wished_cap(wish.times, &wish.within, wish.place, context)
    {
        if most_in(wished, cap.within_days.get()) > u64::from(cap.times.get()) {
            let message = format!(
                "`{}` in `{}` is more than the {} in {}d that are allowed",
                wish.times,
                short(&wish.within),
                cap.times,
                cap.within_days
            );
            let help =
                format!("write {{ times: {}, in: {}d }} or less", cap.times, cap.within_days);
            context.error(wish.place, message, &help);
        }
        cap = wished;
    }
    (window, cap)
}

fn wished_cap(
    times: u32,
    within: &At<Days>,
    place: Place,
    context: &mut Context<'_>,
) -> Option<ContactCap> {
    let days = match context.read::<Span>(within, within.place)? {
        Span::Days(n) => u32::try_from(n).ok()?,
        Span::Weeks(n) => u32::try_from(n).ok()?.saturating_mul(7),
        Span::BusinessDays(_) => {
            context.error(within.place, "a cap is counted in days or weeks", "write 7d");
            return None;
        }
    };
    let cap = ContactCap::new(times, days);
    if cap.is_none() {
        context.error(place, "a cap of 0 would never send anything", "write 1 or more");
    }
    cap
}

/// How many contacts `cap` lets into any `days` days.
fn most_in(cap: ContactCap, days: u32) -> u64 {
    u64::from(cap.times.get()) * u64::from(days.div_ceil(cap.within_days.get()))
}

fn stricter(a: ContactCap, b: ContactCap) -> ContactCap {
    if most_in(a, b.within_days.get()) <= u64::from(b.times.get()) { a } else { b }
}

const fn weekday(day: DayOfWeek) -> jiff::civil::Weekday {
    use jiff::civil::Weekday;
    match day {
        DayOfWeek::Mon => Weekday::Monday,
        DayOfWeek::Tue => Weekday::Tuesday,
        DayOfWeek::Wed => Weekday::Wednesday,
        DayOfWeek::Thu => Weekday::Thursday,
        DayOfWeek::Fri => Weekday::Friday,
        DayOfWeek::Sat => Weekday::Saturday,
        DayOfWeek::Sun => Weekday::Sunday,
    }
}

/// A condition without what only `check` needs.
fn bare(compiled: &Option<Compiled>) -> Option<kulanz_domain::policy::Condition> {
    compiled.as_ref().map(|compiled| compiled.condition.clone())
}

/// Reports attributes that the creditor does not list as harmless: they stay in the vault, and a
/// condition would never see them.
fn harmless(
    at: &At<crate::file::Cel>,
    compiled: &Compiled,
    creditor: &CreditorFile,
    context: &mut Context<'_>,
) {
    for (name, start, end) in &compiled.attributes {
        if creditor.harmless_attributes.contains(name) {
            continue;
        }
        let place = context.inside(at, *start, *end);
        let listed = creditor.harmless_attributes.iter().map(String::as_str);
        let help = did_you_mean(name, listed).unwrap_or_else(|| {
            format!("list it under `harmless_attributes` of {}", creditor.file.display())
        });
        let message = format!("the attribute `{}` cannot be read here", short(name));
        context.error(place, message, &help);
    }
}

fn arc(text: &str) -> Arc<str> {
    text.into()
}
