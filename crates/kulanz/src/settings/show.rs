//! `kulanz config show`: what counts, and where it comes from.

use serde::Serialize;
use serde_json::Value;

use super::{
    Given,
    keys::{KEYS, Key, Kind},
    tree::Origin,
};

/// What stands for a secret.
const HIDDEN: &str = "***";

/// A setting that counts.
#[derive(Debug, Serialize)]
pub struct Row {
    /// `kafka.brokers`.
    pub key: String,
    /// Without secrets; `null` where there is none.
    pub value: Value,
    /// Where it comes from.
    pub from: From,
    /// Variables that set it.
    pub variables: Vec<String>,
}

/// Where a setting comes from.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// It was not set.
    Default,
    /// File and line, or a variable.
    Written(String),
}

impl From {
    fn of(origin: Option<&Origin>) -> Self {
        origin.map_or(Self::Default, |origin| Self::Written(origin.to_string()))
    }
}

/// All settings, in the order of their names; of a section that is left out one row.
pub fn rows(given: &Given) -> Result<Vec<Row>, serde_json::Error> {
    let counts = serde_json::to_value(&given.settings)?;
    let mut rows = Vec::new();
    below(&mut rows, given, &KEYS, &counts, &[]);
    Ok(rows)
}

fn below(rows: &mut Vec<Row>, given: &Given, keys: &[Key], counts: &Value, above: &[String]) {
    for key in keys {
        let value = counts.get(key.last()).unwrap_or(&Value::Null);
        let path = [above, &[key.last().to_owned()]].concat();
        match (&key.kind, value) {
            (Kind::Section(inner), Value::Object(_)) => below(rows, given, inner, value, &path),
            (Kind::Items(inner), Value::Array(items)) if !items.is_empty() => {
                for (at, item) in items.iter().enumerate() {
                    let path = [&path[..], &[at.to_string()]].concat();
                    below(rows, given, inner, item, &path);
                }
            }
            _ => {
                let origin = given.written.get(path.iter().map(String::as_str));
                rows.push(Row {
                    key: path.join("."),
                    value: shown(key, value),
                    from: From::of(origin.map(|node| &node.origin)),
                    variables: if above.iter().any(|part| part.parse::<usize>().is_ok()) {
                        Vec::new()
                    } else {
                        key.variables()
                    },
                });
            }
        }
    }
}

/// A value that anybody may see.
fn shown(key: &Key, value: &Value) -> Value {
    match (&key.kind, value) {
        (_, Value::Null) => Value::Null,
        (Kind::Secret, _) => {
            let place = value.as_object().and_then(|place| place.iter().next());
            let place = place.map(|(how, where_it_is)| {
                let at = where_it_is.as_str().unwrap_or_default();
                match how.as_str() {
                    "file" => format!(" of the file {at}"),
                    _ => format!(" of the variable {at}"),
                }
            });
            format!("{HIDDEN}{}", place.unwrap_or_default()).into()
        }
        (_, value) => without_secrets(value),
    }
}

/// The same value without what looks like a secret where none belongs: a password in an address,
/// a key in a request.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::String(text) => address(text).into(),
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let value = match (is_secret(name), value) {
                    (true, Value::String(_) | Value::Number(_)) => HIDDEN.into(),
                    (_, value) => without_secrets(value),
                };
                (name.clone(), value)
            })
            .collect(),
        other => other.clone(),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["key", "secret", "token", "password", "auth", "sig"].iter().any(|word| name.contains(word))
}

fn address(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = match host.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{HIDDEN}@{host}"),
            None => format!("{user}@{host}"),
        },
        None => host.to_owned(),
    };
    let (path, query) = path.split_once('?').map_or((path, None), |(path, q)| (path, Some(q)));
    let query = query.map(|query| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
            _ => pair.to_owned(),
        });
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{host}{path}{}", query.unwrap_or_default())
}

/// The rows for people.
pub fn text(rows: &[Row]) -> String {
    let cells: Vec<(&str, String, &str)> = rows
        .iter()
        .map(|row| {
            let value = match &row.value {
                Value::Null => "-".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let from = match &row.from {
                From::Default => "default",
                From::Written(place) => place,
            };
            (row.key.as_str(), value, from)
        })
        .collect();
    let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0).min(50);
    let keys = widest(&mut cells.iter().map(|(key, ..)| key.chars().count()));
    let values = widest(&mut cells.iter().map(|(_, value, _)| value.chars().count()));
    cells
        .iter()
        .map(|(key, value, from)| format!("{key:<keys$}  {value:<values$}  {from}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    fn shown(file: &str, variables: &[(&str, &str)]) -> Vec<Row> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        rows(&Given::of(file, Path::new("kulanz.yaml"), variables).unwrap()).unwrap()
    }

    #[test]
    fn each_setting_is_shown_with_where_it_comes_from() {
        let rows = shown(
            "smtp:\n  host: mail\n  port: 25\n  from: a@b.example\n  password: { env: PW }\n\
             webhooks:\n  - { name: shop, url: 'https://u:hunter2@s.example/x?token=hunter2&a=1', \
             secret_file: s }\n",
            &[("KULANZ_SMTP__PORT", "587"), ("KULANZ_DATABASE", "postgres://k:hunter2@db/k")],
        );
        let row = |key: &str| rows.iter().find(|row| row.key == key).unwrap();
        assert_eq!(row("smtp.port").value, 587);
        assert_eq!(row("smtp.port").from, From::Written("KULANZ_SMTP__PORT".into()));
        assert_eq!(row("smtp.host").from, From::Written("kulanz.yaml:2".into()));
        assert_eq!(row("smtp.timeout_ms").from, From::Default);
        assert_eq!(row("smtp.password").value, "*** of the variable PW");
        assert_eq!(row("webhooks.0.url").value, "https://u:***@s.example/x?token=***&a=1");
        assert_eq!(row("webhooks.0.begin").value, "now");
        assert_eq!(row("database").value, "postgres://k:***@db/k");
        assert_eq!(row("kafka").value, Value::Null);
        let all = text(&rows) + &serde_json::to_string(&rows).unwrap();
        assert!(!all.contains("hunter2"), "{all}");
        assert!(text(&rows).contains("smtp.port"), "{all}");
    }

    #[test]
    fn a_key_within_a_request_is_hidden() {
        let file = "sms: { url: 'https://s.example', from: f, body: { api_key: hunter2, \
                    to: '{to}', n: [{ token: 7 }], text: '{text}' } }";
        let rows = shown(file, &[]);
        let body = &rows.iter().find(|row| row.key == "sms.body").unwrap().value;
        let wanted = "{\"api_key\":\"***\",\"n\":[{\"token\":\"***\"}],\"text\":\"{text}\",\
                      \"to\":\"{to}\"}";
        assert_eq!(body.to_string(), wanted);
    }
}
