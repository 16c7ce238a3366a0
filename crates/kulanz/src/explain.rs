//! `kulanz policy explain`: the decision on an account as sentences, and as JSON.

use anyhow::{Context, Result, bail};
use jiff::{Timestamp, tz::TimeZone};
use kulanz_domain::{
    decision::{Action, Decision, Finding, WaitReason, next_step},
    ids::{AccountId, NoticeId},
    policy::Rules,
};
use serde_json::json;

use crate::{
    account::open,
    house::{Places, load_policies},
    http::shown,
    law::rates::Installed,
};

/// Explains the account as it stands now.
pub async fn run(places: &Places, id: &AccountId, as_json: bool) -> Result<()> {
    let now = Timestamp::now();
    let today = now.to_zoned(TimeZone::UTC).date();
    let loaded = load_policies(&places.config, today)?;
    let base_rates = Installed::read(&places.data)?;
    let Some(rules) = loaded.rules.get(&id.creditor).map(|rules| base_rates.put_into(rules)) else {
        bail!("there is no file policies/creditors/{}.yaml", id.creditor);
    };
    let opened = open(places, id).await?;
    let fresh = NoticeId::new("N-explained")?;
    let decision = next_step(&opened.account, &rules, now, &fresh);
    let last = opened.account.notices.values().filter(|n| n.sent_at.is_some());
    let last = last.max_by_key(|notice| notice.sent_at);
    if as_json {
        let personas: Vec<_> = decision
            .personas
            .iter()
            .map(|(currency, persona, when)| {
                json!({ "currency": currency.code(), "persona": persona, "because": when })
            })
            .collect();
        let last = last.map(|notice| {
            json!({ "step": notice.decided.step, "sent_at": notice.sent_at,
                    "channel": notice.decided.channel, "persona": notice.decided.persona,
                    "because": notice.decided.persona_because, "policy": notice.decided.policy,
                    "passed_over": notice.decided.passed_over })
        });
        let due = match &decision.action {
            Action::Wait => json!(null),
            Action::Notify(notice) => json!({ "notice": notice }),
            Action::HandOff(draft) => {
                json!({ "handoff": { "agency": draft.agency, "claims": draft.claims,
                                     "step": draft.step, "missing": draft.missing } })
            }
        };
        let all = json!({
            "account": id, "at": now.to_string(), "last_step": last, "due_now": due,
            "next_look": decision.wake.map(|at| at.to_string()), "personas": personas,
            "findings": decision.findings,
        });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    println!("{id}, {}", shown(now));
    match last {
        None => println!("\nNothing was sent to this debtor yet."),
        Some(notice) => {
            let decided = &notice.decided;
            println!(
                "\nThe last step was `{}` by {} on {},",
                decided.step,
                decided.channel.name(),
                notice.sent_at.map_or_else(String::new, shown)
            );
            println!(
                "decided by policy {} version {} ({}) for persona `{}`{}.",
                decided.policy.name,
                decided.policy.version,
                decided.policy.hash,
                decided.persona,
                because(decided.persona_because.as_deref())
            );
            for (channel, gap) in &decided.passed_over {
                println!("  {} could not serve: {gap:?}", channel.name());
            }
        }
    }
    println!();
    for sentence in sentences(&decision, &rules) {
        println!("{sentence}");
    }
    Ok(())
}

fn because(condition: Option<&str>) -> String {
    condition.map_or_else(|| ", which always matches".to_owned(), |when| format!(", since {when}"))
}

/// The decision in sentences.
pub fn sentences(decision: &Decision, rules: &Rules) -> Vec<String> {
    let mut said = Vec::new();
    for (currency, persona, when) in &decision.personas {
        let because = because(when.as_deref());
        said.push(format!("In {} the persona is `{persona}`{because}.", currency.code()));
    }
    match &decision.action {
        Action::Wait => {}
        Action::Notify(notice) => {
            let claims: Vec<&str> = notice.claims.iter().map(|c| c.invoice.as_str()).collect();
            said.push(format!(
                "Due now: `{}` by {} in {}, tone {}, about {}.",
                notice.step,
                notice.channel.name(),
                notice.language,
                notice.tone,
                claims.join(", ")
            ));
        }
        Action::HandOff(draft) if draft.missing.is_empty() => {
            said.push(format!("Due now: handing over to {}.", draft.agency));
        }
        Action::HandOff(draft) => said.push(format!(
            "Due now: handing over to {}, which lacks {}.",
            draft.agency,
            draft.missing.join(", ")
        )),
    }
    said.extend(decision.findings.iter().filter_map(|finding| sentence(finding, rules)));
    match decision.wake {
        Some(at) => said.push(format!("It is looked at again on {}.", shown(at))),
        None if decision.action == Action::Wait => {
            said.push("Nothing happens until something is told.".to_owned());
        }
        None => {}
    }
    said
}

fn sentence(finding: &Finding, rules: &Rules) -> Option<String> {
    let reason = finding.waits.as_ref()?;
    let of = match (&finding.invoice, &finding.step) {
        (Some(invoice), Some(step)) => format!("{invoice}: `{step}` waits: "),
        (Some(invoice), None) => format!("{invoice} waits: "),
        (None, _) => "The account waits: ".to_owned(),
    };
    let until = finding.until.map_or_else(String::new, |at| format!(", until {}", shown(at)));
    Some(format!("{of}{}{until}.", words(reason, rules)))
}

/// A reason to wait, as a clause.
pub fn words(reason: &WaitReason, rules: &Rules) -> String {
    match reason {
        WaitReason::Erased => "the account was erased".to_owned(),
        WaitReason::Insolvent => "the debtor is insolvent; the law allows no notice".to_owned(),
        WaitReason::Deceased => "the debtor died; a person finds out who inherits".to_owned(),
        WaitReason::DebtorUnknown => {
            "no `debtor.updated` has come: nobody knows whom to write to".to_owned()
        }
        WaitReason::OnHold(hold) => format!("hold {hold} is on it"),
        WaitReason::Promised(promise) => format!("promise {promise} and its grace run"),
        WaitReason::Planned(plan) => format!("plan {plan} is being kept"),
        WaitReason::NoPolicy(currency) => {
            format!("{} has no policy in {}", rules.creditor.id, currency.code())
        }
        WaitReason::NothingOwed => "nothing is owed".to_owned(),
        WaitReason::NoticePending(notice) => format!("message {notice} is on its way"),
        WaitReason::NoticeParked(notice) => {
            format!("message {notice} is stuck; see `kulanz outbox list --stuck`")
        }
        WaitReason::Disputed => "it is disputed".to_owned(),
        WaitReason::TimeBarred(on) => {
            format!("it is barred: the last day to act was {on} (§ 214 BGB)")
        }
        WaitReason::BelowMinimum => "it is below the policy's minimum".to_owned(),
        WaitReason::OldClaim => {
            "it was long overdue when the policy first met it; a person lets it in \
             (`kulanz account release … --claim`)"
                .to_owned()
        }
        WaitReason::CreditCovers => "money that waits on the account covers it".to_owned(),
        WaitReason::Placed(placement) => format!("placement {placement} has it"),
        WaitReason::GivenBack(placement) => {
            format!("the agency gave it back (placement {placement}); a person goes on")
        }
        WaitReason::NotBefore => "its day has not come".to_owned(),
        WaitReason::ConditionFalse(when) => format!("its condition is false: {when}"),
        WaitReason::Expired => "it comes before the due date or not at all".to_owned(),
        WaitReason::StepMissing(step) => format!("it insists on `{step}`, which never happened"),
        WaitReason::NotInDefault => "the debtor is not in default yet".to_owned(),
        WaitReason::TopOfLadder => "all steps are done".to_owned(),
        WaitReason::Spread => "messages of a day are spread; its moment has not come".to_owned(),
        WaitReason::OutsideWindow => "the contact window is closed".to_owned(),
        WaitReason::ContactCap => "as many contacts as allowed were made".to_owned(),
        WaitReason::NoChannel => "no channel can reach the debtor".to_owned(),
    }
}

/// An account that must be there.
pub fn must<T>(found: Option<T>, id: &AccountId) -> Result<T> {
    found.with_context(|| format!("nothing is known of {id}"))
}
