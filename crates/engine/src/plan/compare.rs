//! Two futures of an account, compared claim by claim and step by step.

use std::collections::BTreeSet;

use kulanz_domain::{
    Account,
    event::NoticeDecided,
    ids::{AccountId, InvoiceId, StepName},
    money::Decimal,
};

use super::{
    Pair,
    ahead::{Act, Deed, Future},
    brake::minute,
    report::{Aspect, Line, Moment, Moved, Report, Side, count, text_name},
};

/// Adds an account with its futures, under the rules in force and with the candidate. Accounts come
/// in their order: the first are named.
pub(super) fn add(
    pair: &Pair,
    id: &AccountId,
    account: &Account,
    (now, then): (&Future, &Future),
    list: usize,
    report: &mut Report,
) {
    tell(now, &mut report.in_force);
    tell(then, &mut report.candidate);
    unknown_steps(pair, account, report);
    let mut differs = now.interest != then.interest;
    report.interest_differs += u64::from(differs);
    differs |= now.delivery_stopped != then.delivery_stopped;
    let keys: BTreeSet<&(InvoiceId, StepName)> = now.acts.keys().chain(then.acts.keys()).collect();
    for key in keys {
        let (before, after) = (now.acts.get(key), then.acts.get(key));
        let (claim, step) = key;
        if !report.steps.contains_key(step) {
            report.steps.insert(step.clone(), Default::default());
        }
        let Some(changes) = report.steps.get_mut(step) else { continue };
        let aspects = match (before, after) {
            (Some(before), Some(after)) => {
                let aspects = aspects(pair, claim, before, after);
                if aspects.is_empty() {
                    changes.same += 1;
                    continue;
                }
                changes.changed += 1;
                let days = (after.day - before.day).get_days();
                match days {
                    1.. => moved(&mut changes.later, days),
                    0 => {}
                    _ => moved(&mut changes.earlier, days),
                }
                aspects.iter().for_each(|aspect| count(&mut report.aspects, aspect, 1));
                aspects
            }
            (None, _) => {
                changes.new += 1;
                Vec::new()
            }
            (_, None) => {
                changes.gone += 1;
                Vec::new()
            }
        };
        differs = true;
        let listed = match (before, after) {
            (Some(_), Some(_)) => &mut report.changed,
            (None, _) => &mut report.new,
            _ => &mut report.gone,
        };
        listed.count += 1;
        if listed.named.len() < list {
            listed.named.push(Line {
                account: id.clone(),
                claim: claim.clone(),
                step: step.clone(),
                in_force: before.map(|act| moment(claim, act)),
                candidate: after.map(|act| moment(claim, act)),
                aspects,
            });
        }
    }
    report.affected += u64::from(differs);
}

fn moved(sum: &mut Moved, days: i32) {
    sum.claims += 1;
    sum.days += u64::from(days.unsigned_abs());
}

/// One future's totals.
fn tell(future: &Future, side: &mut Side) {
    side.people += u64::from(!future.messages.is_empty());
    side.delivery_stops += u64::from(future.delivery_stopped);
    for ((_, step), act) in &future.acts {
        count(&mut side.claims, step, 1);
        if let Deed::Handoff(agency) = &act.deed {
            count(&mut side.handoffs, agency, 1);
        }
    }
    for (day, notice) in &future.messages {
        side.messages += 1;
        if !side.notices.contains_key(&notice.step) {
            side.notices.insert(notice.step.clone(), Default::default());
        }
        if let Some(channels) = side.notices.get_mut(&notice.step) {
            count(channels, &notice.channel, 1);
        }
        count(&mut side.personas, &notice.persona, 1);
        count(&mut side.days, day, 1);
        count(&mut side.minutes, &minute(notice.at), 1);
        count(&mut side.texts, &text_name(notice), 1);
        let fee = notice.fee.as_ref().map_or(Decimal::ZERO, |(_, amount)| *amount);
        let lump_sums: Decimal = notice.lump_sums.iter().map(|(_, amount)| *amount).sum();
        let open = notice.claims.iter().map(|part| part.principal + part.fees + part.interest);
        let asked = side.money.entry(notice.currency.code().to_owned()).or_default();
        asked.asked += open.sum::<Decimal>() + fee + lump_sums;
        asked.fees += fee;
        asked.lump_sums += lump_sums;
    }
    for (code, open) in &future.handed {
        side.money.entry((*code).to_owned()).or_default().handed_over += *open;
    }
    for (code, open) in &future.interest {
        side.money.entry((*code).to_owned()).or_default().interest += *open;
    }
    for (hindrance, ..) in &future.hindered {
        count(&mut side.hindered, hindrance, 1);
    }
}

/// Open claims that stand on a step which the candidate's ladder does not have.
fn unknown_steps(pair: &Pair, account: &Account, report: &mut Report) {
    for claim in account.claims.values().filter(|claim| claim.settled_on.is_none()) {
        let Some(currency) = claim.currency() else { continue };
        let (Some(old), Some(new)) =
            (pair.in_force.policy(currency), pair.candidate.policy(currency))
        else {
            continue;
        };
        let Some(last) = claim.last_step() else { continue };
        let knows = |policy: &kulanz_domain::policy::Policy| {
            policy.steps.iter().any(|step| step.name == last.step)
        };
        if knows(old) && !knows(new) {
            count(&mut report.unknown_steps, &last.step, 1);
        }
    }
}

/// In what two ways of the same step differ.
fn aspects(pair: &Pair, claim: &InvoiceId, before: &Act, after: &Act) -> Vec<Aspect> {
    let mut found = Vec::new();
    let mut note = |differs: bool, aspect| {
        if differs {
            found.push(aspect);
        }
    };
    note(after.day < before.day, Aspect::Earlier);
    note(after.day > before.day, Aspect::Later);
    note(after.day == before.day && after.at != before.at, Aspect::Hour);
    match (&before.deed, &after.deed) {
        (Deed::Message(old), Deed::Message(new)) => {
            note(old.channel != new.channel, Aspect::Channel);
            note(old.persona != new.persona, Aspect::Persona);
            note(old.language != new.language, Aspect::Language);
            note(old.tone != new.tone, Aspect::Tone);
            note(old.text != new.text, Aspect::Text);
            let (name, other) = (text_name(old), text_name(new));
            note(name == other && pair.reworded.contains(&name), Aspect::Wording);
            note(fee(old, claim) != fee(new, claim), Aspect::Fee);
            note(lump_sum(old, claim) != lump_sum(new, claim), Aspect::LumpSum);
            note(old.deadline != new.deadline, Aspect::Deadline);
            note(old.pay_with != new.pay_with, Aspect::PayWith);
            note(old.plans != new.plans, Aspect::Plans);
        }
        (Deed::Handoff(old), Deed::Handoff(new)) => {
            note(old != new, Aspect::Agency);
        }
        (Deed::Quiet, Deed::Quiet) => {}
        // A step that was a message is a handoff, or the other way round.
        (_, Deed::Handoff(_)) => note(true, Aspect::Agency),
        (_, Deed::Message(_) | Deed::Quiet) => note(true, Aspect::Channel),
    }
    found
}

fn fee<'a>(notice: &'a NoticeDecided, claim: &InvoiceId) -> Option<&'a Decimal> {
    notice.fee.as_ref().filter(|(invoice, _)| invoice == claim).map(|(_, amount)| amount)
}

fn lump_sum<'a>(notice: &'a NoticeDecided, claim: &InvoiceId) -> Option<&'a Decimal> {
    let mut lump_sums = notice.lump_sums.iter();
    lump_sums.find(|(invoice, _)| invoice == claim).map(|(_, amount)| amount)
}

fn moment(claim: &InvoiceId, act: &Act) -> Moment {
    let mut moment = Moment {
        at: act.at,
        on: act.day,
        channel: None,
        persona: None,
        text: None,
        fee: None,
        agency: None,
    };
    match &act.deed {
        Deed::Message(notice) => {
            moment.channel = Some(notice.channel);
            moment.persona = Some(notice.persona.clone());
            moment.text = Some(text_name(notice));
            let charged: Decimal =
                fee(notice, claim).into_iter().chain(lump_sum(notice, claim)).sum();
            moment.fee = (charged > Decimal::ZERO).then_some(charged);
        }
        Deed::Handoff(agency) => moment.agency = Some(agency.clone()),
        Deed::Quiet => {}
    }
    moment
}
