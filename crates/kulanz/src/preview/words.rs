//! What is said of a message beside it, on the page and in the terminal.

use kulanz_delivery::render::{Coding, Content, Sample};
use kulanz_domain::{
    fact::Channel,
    money::{Decimal, Money},
    policy::{Anchor, Moment, Policy},
};

use super::{Card, Preview};
use crate::house::count;

/// That nobody gets what is shown.
pub const SAMPLES: &str = "Samples: names, amounts and days are invented. No message leaves, nothing \
                           is recorded.";

/// Of the longest sample.
pub const LONGEST: &str = "The longest sample shows how much room a text takes: its sums do not add \
                           up, and its costs and days are not those of the step.";

/// `shop-b2c, version 3: what debtors of Lindenmoor read`.
pub fn title(preview: &Preview) -> String {
    let reference = &preview.policy.reference;
    let name = &preview.creditor.trading_name;
    format!("{}, version {}: what debtors of {name} read", reference.name, reference.version)
}

/// What has to be known before the first message.
pub fn notes(preview: &Preview) -> Vec<String> {
    let mut notes = vec![SAMPLES.to_owned()];
    if preview.sample == Sample::Longest {
        notes.push(LONGEST.to_owned());
    }
    notes.extend(preview.invented.as_ref().map(|why| format!("{why}.")));
    notes
}

/// How somebody waits: `pace 1.5`; empty at the usual pace.
pub fn pace(pace: Decimal) -> String {
    match pace == Decimal::ONE {
        true => String::new(),
        false => format!("pace {}", pace.normalize()),
    }
}

/// A moment as the file writes it: `reminder + 10d`.
pub fn at(moment: &Moment, policy: &Policy) -> String {
    let anchor = match moment.anchor {
        Anchor::Due => "due",
        Anchor::Issued => "issued",
        Anchor::Default => "default",
        Anchor::Step(at) => policy.steps.get(at).map_or("", |step| step.name.as_str()),
    };
    format!("{anchor} {} {}", if moment.before { '-' } else { '+' }, moment.span)
}

/// `14 days after the due date`.
pub fn day(days: i32) -> String {
    let number = usize::try_from(days.unsigned_abs()).unwrap_or_default();
    match days {
        0 => "on the due date".to_owned(),
        1.. => format!("{} after the due date", count(number, "day")),
        _ => format!("{} before the due date", count(number, "day")),
    }
}

/// Facts of a step, as headings with what stands below each.
pub fn step(card: &Card, preview: &Preview) -> Vec<(&'static str, String)> {
    let step = &card.step;
    let mut facts = vec![(
        "When",
        format!(
            "{}: {}, or as soon as contact hours and limits let it",
            at(&step.at, &preview.policy),
            day(card.made.days_after_due)
        ),
    )];
    if let Some(when) = &step.when {
        let source = when.source.split_whitespace().collect::<Vec<_>>().join(" ");
        facts.push(("Only where", source));
    }
    facts
}

/// When a message is sent, what it charges, and who gets it.
pub fn card(card: &Card) -> Vec<(&'static str, String)> {
    let (step, made) = (&card.step, &card.made);
    let is_stage = made.sample != Sample::Longest;
    let here = |of: String| if is_stage { format!(", in this sample {of}") } else { String::new() };
    let sent = format!("{}{}", day(made.days_after_due), here(format!("on {}", made.sent_on)));
    let mut facts = vec![("Sent", sent)];
    if let Some(span) = step.deadline {
        let by = made.deadline.map_or_else(String::new, |by| here(format!("by {by}")));
        facts.push(("Deadline", format!("{span}{by}")));
    }
    let asked = Money::new(step.fee, made.fee.currency);
    if asked.amount > Decimal::ZERO {
        facts.push((
            "Fee",
            match is_stage && made.fee.amount < asked.amount {
                true => format!("{}: of the policy's {asked} the law allows no more", made.fee),
                false => asked.to_string(),
            },
        ));
    }
    if step.lump_sum {
        let here = here(made.lump_sum.to_string());
        facts.push(("Lump sum", format!("for each claim, as far as the law lets it{here}")));
    }
    let to = card.to.iter().map(|(name, pace)| match pace.as_str() {
        "" => name.clone(),
        pace => format!("{name} ({pace})"),
    });
    let to: Vec<String> = to.collect();
    let nobody = "nobody: no persona of this policy gets it";
    facts.push(("To", if to.is_empty() { nobody.to_owned() } else { to.join(", ") }));
    if !card.tried.is_empty() {
        facts.push(("Tried", format!("in the experiment {}", card.tried.join(" and "))));
    }
    facts.push(("Template", card.file.clone()));
    facts
}

/// `1 part, 143 characters`; nothing for what is no text message.
pub fn size(content: &Content) -> Option<String> {
    let Content::Sms(sms) = content else { return None };
    let coding = match sms.coding {
        Coding::Gsm7 => "",
        Coding::Ucs2 => ", in the coding with less room",
    };
    let characters = count(sms.text.chars().count(), "character");
    Some(format!("{}, {characters}{coding}", count(sms.segments, "part")))
}

/// A channel as people call it.
pub const fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "e-mail",
        Channel::Sms => "SMS",
        Channel::Letter => "letter",
    }
}
