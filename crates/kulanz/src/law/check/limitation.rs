//! Worked examples of limitation.

use kulanz_domain::{
    calendar::Region,
    law::{LimitationCase, Period, Suspension, SuspensionGround, limitation},
};
use serde_json::{Map, Value, json};

use super::{Computed, Entry, Odd, Tables, entry::day};

/// `limitation`. What is expected stands in the example itself, in members `expected_…`, or in
/// an object `expected`.
pub fn run(entry: &Entry<'_>, _: &Tables) -> Result<Computed, Odd> {
    let input = entry.within("input");
    let final_on = input.any_day(&["title_final", "title_final_on"])?;
    let due_on = input.any_day(&["claim_due", "due", "due_date"])?;
    let period = match (final_on, due_on) {
        (Some(final_on), _) => Period::Title { final_on },
        (None, Some(due_on)) => Period::Standard { due_on },
        _ => return Err(Odd::unclear("neither `claim_due` nor `title_final` is there")),
    };
    let mut suspensions = Vec::new();
    for (keys, ground) in [
        (&["suspensions", "suspended"][..], by_note(entry)),
        (&["negotiations", "negotiated"][..], SuspensionGround::Negotiation),
        (&["deferrals", "deferred"][..], SuspensionGround::Deferral),
        (&["court"][..], SuspensionGround::Court),
    ] {
        if let Some(list) = input.any(keys) {
            suspensions.extend(read(list, ground)?);
        }
    }
    let acknowledged = input.any(&["acknowledged", "acknowledgements", "part_payment"]);
    let acknowledged_on = match acknowledged {
        None => Vec::new(),
        Some(Value::Array(days)) => days.iter().map(day).collect::<Result<_, _>>()?,
        Some(one) => vec![day(one)?],
    };
    let regions = vec![input.state("state")?.unwrap_or(Region::De)];
    let case = LimitationCase { period, suspensions, acknowledged_on, regions };
    let found = limitation(&case).map_err(Odd::refused)?;
    let (last_day, act_by) = (json!(found.last_day), json!(found.act_by));
    Ok(Computed {
        expected: expected(entry)?,
        found: json!({
            "expected_last_day": last_day, "last_day": last_day,
            "expected_act_by_193": act_by, "act_by_193": act_by,
            "expected_act_by": act_by, "act_by": act_by,
        }),
    })
}

/// Where days are told without a ground, the note may tell it: negotiations have a rule of their
/// own (§ 203 sentence 2 BGB).
fn by_note(entry: &Entry<'_>) -> SuspensionGround {
    let note = entry.text("note").unwrap_or_default().to_lowercase();
    match note.contains("negotiat") || note.contains("§ 203") {
        true => SuspensionGround::Negotiation,
        false => SuspensionGround::Other,
    }
}

fn expected(entry: &Entry<'_>) -> Result<Value, Odd> {
    if let Some(expected) = entry.get("expected") {
        return match expected.is_string() {
            true => Ok(json!({ "last_day": expected })),
            false => Ok(expected.clone()),
        };
    }
    // A null asks for no last day: `get` would not see it.
    let asked = entry.keys().filter(|key| key.starts_with("expected_"));
    let members: Map<String, Value> =
        asked.map(|key| (key.to_owned(), entry.get(key).cloned().unwrap_or(Value::Null))).collect();
    match members.is_empty() {
        true => Err(Odd::unclear("nothing is expected")),
        false => Ok(Value::Object(members)),
    }
}

/// Pairs of days, or objects with `from`, `to` and perhaps a ground.
fn read(list: &Value, ground: SuspensionGround) -> Result<Vec<Suspension>, Odd> {
    let list = match list {
        Value::Array(items) if items.first().is_some_and(Value::is_string) => {
            std::slice::from_ref(list)
        }
        Value::Array(items) => items,
        other => std::slice::from_ref(other),
    };
    list.iter().map(|one| suspension(one, ground)).collect()
}

fn suspension(value: &Value, ground: SuspensionGround) -> Result<Suspension, Odd> {
    let end = |value: &Value| match value.is_null() {
        true => Ok(None),
        false => day(value).map(Some),
    };
    match value {
        Value::Array(days) => match days.as_slice() {
            [from] => Ok(Suspension { from: day(from)?, to: None, ground }),
            [from, to] => Ok(Suspension { from: day(from)?, to: end(to)?, ground }),
            [from, to, word] => {
                let ground = named(word.as_str(), ground)?;
                Ok(Suspension { from: day(from)?, to: end(to)?, ground })
            }
            _ => Err(Odd::unclear(format!("{value} is no first and last day"))),
        },
        Value::Object(_) => {
            let one = Entry::nested(value);
            let word = ["ground", "kind", "reason", "type"].iter().find_map(|key| one.text(key));
            let ground = named(word, ground)?;
            Ok(Suspension { from: one.day("from")?, to: one.maybe_day("to")?, ground })
        }
        other => Err(Odd::unclear(format!("{other} is no suspension"))),
    }
}

fn named(word: Option<&str>, otherwise: SuspensionGround) -> Result<SuspensionGround, Odd> {
    let Some(word) = word else { return Ok(otherwise) };
    let word = word.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
    Ok(match () {
        () if says(&["negotiat", "203"]) => SuspensionGround::Negotiation,
        () if says(&["defer", "205"]) => SuspensionGround::Deferral,
        // Its days are told as they count, as in the lists of pairs.
        () if says(&["court", "order", "204", "other"]) => SuspensionGround::Other,
        () => return Err(Odd::unclear(format!("the ground `{word}` of a suspension"))),
    })
}
