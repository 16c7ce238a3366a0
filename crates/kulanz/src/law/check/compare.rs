//! What was to come out against what did, member by member.

use std::fmt;

use jiff::civil::Date;
use kulanz_domain::money::Decimal;
use serde_json::{Value, json};

use super::entry::number;

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A member is another one.
    Member {
        /// Its name, with the way to it.
        member: String,
        /// What was to come out.
        expected: String,
        /// What did.
        found: String,
    },
    /// There is no result, and why.
    Refused(String),
    /// The form of the example is unknown to us.
    NotUnderstood(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member { member, expected, found } => {
                write!(f, "{member}: expected {expected}, found {found}")
            }
            Self::Refused(reason) => write!(f, "result: expected one, found a refusal: {reason}"),
            Self::NotUnderstood(reason) => write!(f, "is not understood: {reason}"),
        }
    }
}

impl Difference {
    /// As JSON.
    pub fn row(&self) -> Value {
        match self {
            Self::Member { member, expected, found } => {
                json!({ "member": member, "expected": expected, "found": found })
            }
            Self::Refused(reason) => json!({ "refused": reason }),
            Self::NotUnderstood(reason) => json!({ "not_understood": reason }),
        }
    }
}

/// All members of `expected` have to be in `found`, and equal; amounts by their value. What
/// `found` has beyond them is not asked for.
pub fn compare(expected: &Value, found: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    walk("", expected, Some(found), &mut differences);
    differences
}

fn walk(member: &str, expected: &Value, found: Option<&Value>, out: &mut Vec<Difference>) {
    let differ = |found: String| Difference::Member {
        member: if member.is_empty() { "result".to_owned() } else { member.to_owned() },
        expected: shown(expected),
        found,
    };
    match (expected, found) {
        (_, None) => out.push(differ("nothing".to_owned())),
        (Value::Object(members), Some(Value::Object(_))) => {
            for (key, value) in members {
                let way = if member.is_empty() { key.clone() } else { format!("{member}.{key}") };
                walk(&way, value, found.and_then(|found| found.get(key)), out);
            }
        }
        (Value::Array(list), Some(Value::Array(items))) => {
            if list.len() != items.len() {
                out.push(differ(shown(&Value::Array(items.clone()))));
                return;
            }
            for (at, (value, item)) in list.iter().zip(items).enumerate() {
                walk(&format!("{member}[{at}]"), value, Some(item), out);
            }
        }
        (_, Some(found)) if !same(expected, found) => out.push(differ(shown(found))),
        _ => {}
    }
}

fn same(expected: &Value, found: &Value) -> bool {
    let decimal = |value| number(value).and_then(|text| Decimal::from_str_exact(&text).ok());
    expected == found
        || decimal(expected).zip(decimal(found)).is_some_and(|(one, other)| one == other)
}

/// A value as people read it: texts without quotes.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace('\n', "\\n"),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

/// A refusal was asked for in words: it has to be there, and where the words name a day whose
/// rate is not published, it has to name that too.
pub fn refusals(expected: &str, reason: &str) -> Vec<Difference> {
    let days = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_digit() && c != '-');
        words.filter(|word| word.parse::<Date>().is_ok()).map(str::to_owned).collect()
    };
    let told = days(reason);
    let unpublished = |text: &str| text.contains("not published");
    let right = !unpublished(expected)
        || unpublished(reason) && days(expected).iter().all(|day| told.contains(day));
    match right {
        true => Vec::new(),
        false => vec![Difference::Member {
            member: "expected_error".to_owned(),
            expected: expected.to_owned(),
            found: reason.to_owned(),
        }],
    }
}
