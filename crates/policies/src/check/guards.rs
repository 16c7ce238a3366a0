//! Where a policy meets a guard: what the law (or decency) will do to what it asks for. The engine
//! does so when it decides, whatever stands in a file; this says it beforehand, line by line.

use std::collections::BTreeSet;

use kulanz_domain::{
    fact::{Channel, DebtorKind},
    law::{LUMP_SUM, consumer_cap},
    money,
    policy::{InterestClaimed, Law, Step, StepAction},
};

use super::{Subject, reach::Reach};
use crate::{
    context::{Context, spoken},
    file::policy::StepDoc,
};

/// Notes each line that meets a guard.
pub(super) fn check(subject: &Subject<'_>, reach: &Reach, context: &mut Context<'_>) {
    interest(subject, context);
    let mut starts_default = true;
    for (place, step) in subject.policy().steps.iter().enumerate() {
        let Some(doc) = subject.doc.steps.get(place) else { continue };
        match step.action {
            StepAction::Mahnung => {
                let starts = std::mem::take(&mut starts_default);
                fee((subject, reach), (place, step, doc), starts, context);
                lump_sum((subject, reach), (place, step, doc), context);
            }
            StepAction::HandOff { .. } => hand_off(subject, doc, context),
            _ => {}
        }
    }
}

fn interest(subject: &Subject<'_>, context: &mut Context<'_>) {
    let Some(at) = &subject.doc.interest else { return };
    let law = subject.creditor.creditor.law;
    let help = match law {
        Law::De => {
            "from the first day of default, on principal alone: base rate + 5 points, + 9 against \
             businesses (§§ 288, 289 BGB)"
        }
        Law::At => {
            "from the first day of default: base rate + 9.2 points between businesses \
                    (§ 456 UGB), else 4 % (§ 1000 ABGB)"
        }
        Law::Ch => "from the first day of default: 5 % (OR 104)",
        Law::None => "only what an invoice says was agreed (`contract_rate`)",
    };
    match (&subject.policy().interest.claimed, law) {
        (InterestClaimed::None, _) => {}
        (InterestClaimed::Statutory, Law::None) => {
            context.note(at.place, "no law of this creditor gives interest", help);
        }
        (InterestClaimed::Statutory, _) => {
            context.note(at.place, "the law says when interest runs, and how much", help);
        }
        (InterestClaimed::Percent(_), Law::None) => {
            let help = "Kulanz cannot know what was agreed: this is charged as it stands";
            context.note(at.place, "no law of this creditor caps interest", help);
        }
        (InterestClaimed::Percent(percent), _) => {
            let message =
                format!("never more than the law gives, though {percent}% is more at times");
            context.note(at.place, message, help);
        }
    }
}

/// Says where the law will lower a fee. It does so when the fee is charged, whatever stands here.
fn fee(
    (subject, reach): (&Subject<'_>, &Reach),
    (place, step, doc): (usize, &Step, &StepDoc),
    starts_default: bool,
    context: &mut Context<'_>,
) {
    let Some(at) = doc.fee.as_ref().filter(|_| !step.fee.is_zero()) else { return };
    match subject.creditor.creditor.law {
        Law::None => return,
        Law::Ch => {
            let help = "it is charged to those alone with whom it was agreed";
            return context.note(at.place, "Swiss law knows reminder fees only where agreed", help);
        }
        Law::De | Law::At => {}
    }
    if starts_default {
        let help = "a fee is damage of default, and this is what starts it (§ 286 BGB)";
        let message = "this fee is charged to those alone who are in default already";
        context.note(at.place, message, help);
    }
    let personas = reach.personas(subject, place, Some(DebtorKind::Consumer));
    let channels: BTreeSet<Channel> = personas
        .into_iter()
        .filter_map(|at| subject.policy().personas.get(at))
        .flat_map(|persona| persona.channels.iter().copied())
        .filter(|channel| consumer_cap(*channel) < step.fee)
        .collect();
    if !channels.is_empty() {
        let capped = channels.iter().map(|channel| {
            let most = money::plain(consumer_cap(*channel), subject.policy().currency);
            format!("{} {most}", spoken(*channel))
        });
        let capped = capped.collect::<Vec<_>>().join(", ");
        let message = format!("for consumers the law caps this fee: {capped}");
        let help = "only what the message itself costs can be charged";
        context.note(at.place, message, help);
    }
}

fn lump_sum(
    (subject, reach): (&Subject<'_>, &Reach),
    (place, step, doc): (usize, &Step, &StepDoc),
    context: &mut Context<'_>,
) {
    let Some(at) = doc.lump_sum.as_ref().filter(|_| step.lump_sum) else { return };
    let policy = subject.policy();
    if !matches!(subject.creditor.creditor.law, Law::De | Law::At) {
        return context.note(at.place, "no law of this creditor gives a lump sum", "remove it");
    }
    if policy.currency != money::Currency::EUR {
        return context.note(at.place, "the lump sum is one of euros", "it is not charged here");
    }
    let message = format!(
        "once a claim, in default, never to consumers: {} less the reminder fees charged before",
        money::plain(LUMP_SUM, policy.currency)
    );
    let help = match reach.personas(subject, place, Some(DebtorKind::Consumer)).first() {
        Some(_) => "consumers who get this step are not charged (§ 288 (5) BGB)",
        None => "§ 288 (5) BGB",
    };
    context.note(at.place, message, help);
}

fn hand_off(subject: &Subject<'_>, doc: &StepDoc, context: &mut Context<'_>) {
    let Some(at) = &doc.hand_off else { return };
    let mut help = "nor while disputed, on hold, promised, in a plan that is kept, insolvent or \
                    deceased"
        .to_owned();
    let message = match subject.creditor.creditor.law {
        Law::None => "nothing is handed over without the fields that an agency needs",
        Law::De => {
            help += ", nor once the claim is time-barred (§§ 195, 214 BGB)";
            "nothing is handed over before default, or without the fields of § 13a RDG"
        }
        Law::At | Law::Ch => {
            "nothing is handed over before default, or without the fields that an agency needs"
        }
    };
    context.note(at.place, message, &help);
}
