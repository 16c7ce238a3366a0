//! `kulanz policy explain`: the decision on an account as a sentence, as tables and as JSON; for now,
//! for a moment of the past from the log alone, and for one to come as if nobody said anything.

mod moment;
mod sentence;
mod tables;
mod then;
pub mod words;

use anyhow::{Context, Result};
use kulanz_domain::{
    Account, AccountEvent,
    decision::{Explanation, explain},
    ids::{AccountId, NoticeId},
};
use serde_json::{Value, json};

use self::then::{Known, Then};
use crate::house::Places;

pub const EXAMPLES: &str = "\
Examples:
  kulanz policy explain lindenmoor/K-1
  kulanz policy explain lindenmoor/K-1 --at '2026-03-30 09:00'
  kulanz policy explain lindenmoor/K-1 --at N-0123456789abcdef-7-0 --json

TIME is an RFC 3339 moment (2026-03-30T09:00:00+02:00), a time of the creditor's zone (2026-03-30
09:00), a day (its first moment), or the id of a message or placement: just before that was decided.
A moment of the past is told from the log alone, by the version of the policy that was in force, as
its sources were kept. At the very moment of a decision it is told as that decision found it. A
moment to come is told as if nobody said anything until then.";

/// Prints what is decided on an account and why.
pub async fn run(places: &Places, id: &AccountId, at: Option<&str>, as_json: bool) -> Result<()> {
    let then = then::find(places, id, at).await?;
    let fresh = NoticeId::new("N-explained")?;
    let told = explain(&then.account, &then.rules, then.at, &fresh)?;
    match as_json {
        true => println!("{}", serde_json::to_string_pretty(&as_value(id, &then, &told)?)?),
        false => print(id, &then, &told),
    }
    Ok(())
}

fn as_value(id: &AccountId, then: &Then, told: &Explanation) -> Result<Value> {
    let mut value = json!({
        "account": id,
        "sentence": sentence::of(told, &then.rules),
        "told_from": {
            "known": match then.known {
                Known::Now => "now",
                Known::Then => "then",
                Known::Supposed => "supposed",
            },
            "events": then.events,
            "events_in_all": then.events_in_all,
        },
        "notes": then.notes,
        "zone": then.rules.creditor.zone.iana_name(),
        "last_step": last_step(&then.account),
        "on_the_way": then.on_the_way.iter().filter_map(on_the_way).collect::<Vec<_>>(),
    });
    let rest = serde_json::to_value(told)?;
    if let (Some(all), Value::Object(rest)) = (value.as_object_mut(), rest) {
        all.extend(rest);
    }
    Ok(value)
}

fn last_step(account: &Account) -> Value {
    let sent = account.notices.values().filter(|notice| notice.sent_at.is_some());
    let Some(notice) = sent.max_by_key(|notice| notice.sent_at) else { return Value::Null };
    let decided = &notice.decided;
    json!({ "step": decided.step, "notice": decided.notice, "sent_at": notice.sent_at,
            "channel": decided.channel, "persona": decided.persona,
            "because": decided.persona_because, "policy": decided.policy, "arms": decided.arms,
            "passed_over": decided.passed_over })
}

/// A message, a handoff or a quiet step that would happen until the moment asked for.
fn on_the_way((at, event): &(jiff::Timestamp, AccountEvent)) -> Option<Value> {
    Some(match event {
        AccountEvent::NoticeDecided(notice) => {
            json!({ "at": at, "step": notice.step, "channel": notice.channel })
        }
        AccountEvent::HandoffDue { step, agency, .. } => {
            json!({ "at": at, "step": step, "agency": agency })
        }
        AccountEvent::StepTaken { step, .. } => json!({ "at": at, "step": step }),
        _ => return None,
    })
}

fn print(id: &AccountId, then: &Then, told: &Explanation) {
    let zone = &then.rules.creditor.zone;
    println!("{id}, {}", words::moment(then.at, zone));
    println!("\n{}", sentence::of(told, &then.rules));
    if let Some(at) = told.next_look {
        println!(
            "Time alone can change something on {} at the earliest.",
            words::on(at, told, zone)
        );
    } else if told.due.is_none() {
        println!("Time alone changes nothing.");
    }
    then.notes.iter().for_each(|note| println!("{note}"));
    for (at, event) in &then.on_the_way {
        let what = match event {
            AccountEvent::NoticeDecided(notice) => {
                format!("{} by {}", notice.step, words::channel(notice.channel))
            }
            AccountEvent::HandoffDue { step, agency, .. } => format!("{step} to {agency}"),
            AccountEvent::StepTaken { step, .. } => format!("{step}, which sends nothing"),
            _ => continue,
        };
        println!("  {}  {what}", words::moment(*at, zone));
    }
    for line in tables::of(told, &then.rules) {
        println!("{line}");
    }
}

/// An account that must be there.
pub fn must<T>(found: Option<T>, id: &AccountId) -> Result<T> {
    found.with_context(|| format!("nothing is known of {id}"))
}
