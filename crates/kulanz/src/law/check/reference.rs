//! Worked examples of GiroCode payloads, IBANs and RF references.

use kulanz_domain::reference::{EpcVersion, Transfer, epc_qr as payload, iban, rf, rf_from};
use serde_json::{Map, Value, json};

use super::{Computed, Difference, Entry, Malformed, Odd, Tables, Verdict, compare};

/// `epc_qr`. Kulanz writes UTF-8 (character set 1); an example in Latin-1 (2) is compared with
/// the same text and its own count of bytes.
pub fn epc_qr(entry: &Entry<'_>, _: &Tables) -> Result<Computed, Odd> {
    let input = entry.within("input");
    let text = |keys: &[&str]| keys.iter().find_map(|key| input.text(key));
    let version = match text(&["version"]) {
        Some("001") => EpcVersion::V001,
        None | Some("002") => EpcVersion::V002,
        Some(other) => return Err(Odd::Refused(format!("version {other} is unknown"))),
    };
    let transfer = Transfer {
        version,
        bic: text(&["bic"]),
        name: text(&["name"]).unwrap_or_default(),
        iban: text(&["iban"]).unwrap_or_default(),
        amount: input.maybe_decimal("amount")?,
        purpose: text(&["purpose"]),
        reference: text(&["reference", "rf", "structured_reference", "ref"]),
        text: text(&["text", "remittance", "unstructured"]),
    };
    let made = payload(&transfer).map_err(Odd::refused)?;
    let (made, bytes) = match input.get("charset").and_then(Value::as_u64) {
        None | Some(1) => {
            let bytes = made.len();
            (made, bytes)
        }
        Some(2) if made.chars().all(|c| u32::from(c) < 256) => {
            let bytes = made.chars().count();
            (made.replacen("\n1\nSCT", "\n2\nSCT", 1), bytes)
        }
        Some(2) => return Err(Odd::Refused("a character is not in Latin-1".to_owned())),
        Some(other) => return Err(Odd::unclear(format!("the character set {other}"))),
    };
    let mut expected = Map::new();
    for key in ["payload", "bytes"] {
        if let Some(value) = entry.get(key) {
            expected.insert(key.to_owned(), value.clone());
        }
    }
    if expected.is_empty() && entry.expected_error().is_none() {
        return Err(Odd::unclear("neither `payload` nor `bytes` is expected"));
    }
    let found = json!({ "payload": made, "bytes": bytes });
    Ok(Computed { expected: Value::Object(expected), found })
}

/// `references`: one example for each text.
pub fn references(lists: &Value) -> Result<Vec<Verdict>, Malformed> {
    let lists = lists.as_object();
    let lists = lists.ok_or_else(|| Malformed("references: not an object".to_owned()))?;
    let mut verdicts = Vec::new();
    for (name, texts) in lists {
        let items: Vec<(String, &Value)> = match texts {
            Value::Array(texts) => texts.iter().map(|text| (shown(text), text)).collect(),
            Value::Object(made) => made.iter().map(|(base, rf)| (base.clone(), rf)).collect(),
            _ => return Err(Malformed(format!("references.{name}: not a list"))),
        };
        for (text, value) in items {
            verdicts.push(Verdict {
                list: "references".to_owned(),
                id: format!("references.{name} {text}"),
                unsure: false,
                differences: differences(name, &text, value),
            });
        }
    }
    Ok(verdicts)
}

fn shown(text: &Value) -> String {
    text.as_str().map_or_else(|| text.to_string(), str::to_owned)
}

fn differences(list: &str, text: &str, value: &Value) -> Vec<Difference> {
    if value.as_str().is_none() {
        return vec![Difference::NotUnderstood(format!("{value} is no text"))];
    }
    let validity = |valid: bool, expected: bool| {
        let word = |valid| json!({ "validity": if valid { "valid" } else { "invalid" } });
        compare(&word(expected), &word(valid))
    };
    match list {
        "rf_generated" => match rf_from(text) {
            Ok(made) => compare(&json!({ "reference": value }), &json!({ "reference": made })),
            Err(error) => vec![Difference::Refused(error.to_string())],
        },
        "rf_valid" => validity(rf(text).is_ok(), true),
        "rf_invalid" => validity(rf(text).is_ok(), false),
        "iban_valid" => validity(iban(text).is_ok(), true),
        "iban_invalid" => validity(iban(text).is_ok(), false),
        _ => vec![Difference::NotUnderstood(format!("the list `{list}`"))],
    }
}
