//! The decision in one sentence.

use kulanz_domain::{
    decision::{ClaimExplained, Due, Explanation, Finding, Foreseen, WaitReason},
    ids::InvoiceId,
    money::{Currency, Decimal, Money},
    policy::Rules,
};

use super::words;

/// `R-1 of 89.90 EUR is late since 16 March; the next message is the Mahnung by e-mail on Mon
/// 30 March at 9:00, unless it is paid by then.`
pub fn of(told: &Explanation, rules: &Rules) -> String {
    let owed: Vec<(Currency, &[ClaimExplained])> = told
        .currencies
        .iter()
        .filter(|one| !one.claims.is_empty())
        .map(|one| (one.currency, one.claims.as_slice()))
        .collect();
    if owed.is_empty() {
        return match &told.blocked {
            Some(blocked) => format!("Nothing is owed, and {}.", stopped(blocked, told, rules)),
            None => "Nothing is owed, so nothing is sent.".to_owned(),
        };
    }
    let subject: Vec<String> = owed.iter().map(|(code, all)| subject(*code, all, told)).collect();
    format!("{}; {}.", subject.join(", and "), predicate(told, rules, &owed))
}

fn subject(currency: Currency, claims: &[ClaimExplained], told: &Explanation) -> String {
    let sum: Decimal = claims.iter().map(|claim| claim.open).sum();
    let sum = Money::new(sum, currency);
    let Some(oldest) = claims.iter().min_by_key(|claim| claim.due_on) else {
        return format!("{sum} is open");
    };
    match claims {
        [one] => format!("{} of {sum} {}", one.invoice, since(one, told, "is", "was")),
        _ => format!(
            "{} invoices of {sum} in all are open, of which the oldest, {}, {}",
            claims.len(),
            oldest.invoice,
            since(oldest, told, "is", "was")
        ),
    }
}

fn since(claim: &ClaimExplained, told: &Explanation, is: &str, was: &str) -> String {
    if told.today <= claim.due_on {
        return format!("{is} due on {}", words::day(claim.due_on, told));
    }
    if told.today < claim.late_from {
        let (due, late) = (words::day(claim.due_on, told), words::day(claim.late_from, told));
        return format!("{was} due on {due} and is late from {late} on");
    }
    format!("{is} late since {}", words::day(claim.late_from, told))
}

fn stopped(finding: &Finding, told: &Explanation, rules: &Rules) -> String {
    let zone = &rules.creditor.zone;
    let reason = finding.waits.as_ref().map(|reason| words::reason(reason, rules));
    let until = words::until(finding.until, told, zone);
    format!("{}{until}", reason.unwrap_or_else(|| "it is due".to_owned()))
}

fn predicate(told: &Explanation, rules: &Rules, owed: &[(Currency, &[ClaimExplained])]) -> String {
    let claims: Vec<&ClaimExplained> = owed.iter().flat_map(|(_, all)| all.iter()).collect();
    if let Some(due) = &told.due {
        return match due {
            Due::Notice(notice) => {
                let about = notice.claims.iter().map(|claim| &claim.invoice);
                let channel = words::channel(notice.channel);
                let what = step(&notice.kind, notice.step.as_str());
                format!("{what} by {channel} is due now{}", among(about, &claims))
            }
            Due::Handoff(draft) => {
                let lacks = match draft.missing.is_empty() {
                    true => String::new(),
                    false => format!(", which lacks {}", draft.missing.join(", ")),
                };
                let about = among(draft.claims.iter(), &claims);
                format!("the hand-off to {} is due now{about}{lacks}", draft.agency)
            }
            Due::Quiet(step) => {
                let about = among(step.claims.iter(), &claims);
                format!("the step `{}`, which sends nothing, is due now{about}", step.step)
            }
        };
    }
    let stop = told.blocked.as_ref().or_else(|| {
        let mut stops = claims.iter().map(|claim| claim.blocked.as_ref());
        let first = stops.next().flatten()?;
        let same = stops.all(|other| other.is_some_and(|other| other.waits == first.waits));
        same.then_some(first)
    });
    let before = stop.map(|stop| stopped(stop, told, rules));
    let after = match (&told.next, &before) {
        (Some(next), before) => Some(foreseen(next, told, rules, &claims, before.is_some())),
        (None, Some(_)) => None,
        (None, None) => Some(match first_reason(told) {
            Some(reason) => {
                format!("nothing more is sent by itself: {}", words::reason(reason, rules))
            }
            None => "nothing more is sent by itself".to_owned(),
        }),
    };
    [before, after].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Why nothing comes any more: rather a reason that ends by something told than a day.
fn first_reason(told: &Explanation) -> Option<&WaitReason> {
    let reasons = || told.findings.iter().filter_map(|finding| finding.waits.as_ref());
    reasons().find(|reason| !matches!(reason, WaitReason::Expired)).or_else(|| reasons().next())
}

fn foreseen(
    next: &Foreseen,
    told: &Explanation,
    rules: &Rules,
    claims: &[&ClaimExplained],
    stopped: bool,
) -> String {
    let on = words::on(next.at, told, &rules.creditor.zone);
    let then = if stopped { "after that " } else { "" };
    let about = among(next.claims.iter(), claims);
    let unless = if claims.len() == 1 { "it is" } else { "all is" };
    let what = match (&next.channel, &next.agency) {
        (Some(channel), _) => format!(
            "the next message is {} by {}",
            step(&next.kind, next.step.as_str()),
            words::channel(*channel)
        ),
        (None, Some(agency)) => format!("the next step is the hand-off to {agency}"),
        (None, None) => format!("the next step is `{}`, which sends nothing,", next.step),
    };
    format!("{then}{what}{about} on {on}, unless {unless} paid by then")
}

/// ` about R-1`, where it is not about all that is open.
fn among<'a>(about: impl Iterator<Item = &'a InvoiceId>, open: &[&ClaimExplained]) -> String {
    let about: Vec<&str> = about.map(InvoiceId::as_str).collect();
    match about.len() == open.len() {
        true => String::new(),
        false => format!(" about {}", about.join(", ")),
    }
}

/// A step by what it is, and by its name where that says more.
fn step(kind: &str, name: &str) -> String {
    let what = match kind {
        "notice" => "the notice before the due date",
        "reminder" => "the reminder",
        "mahnung" => "the Mahnung",
        "offer" => "the offer of instalments",
        other => other,
    };
    match name == kind {
        true => what.to_owned(),
        false => format!("{what} `{name}`"),
    }
}
