//! `kulanz config default`: all settings as a file, with what each means and what counts where it
//! is left out. Made from [`keys`](super::keys), so that no setting is missing.

use std::fmt::Write;

use serde_json::Value;

use super::keys::{KEYS, Key, Kind};

/// Characters in a line at most.
const WIDTH: usize = 100;

const HEAD: &str = "\
All settings of Kulanz, as `kulanz config default` prints them. Lines without `#` are the \
defaults: take out what you do not change. Lines that begin with `#` and a key are settings \
without a default, or of a section that is left out, with a value that could stand there: take \
the `#` away to use them.

Each can be set by a variable of the environment as well, which wins over this file: KULANZ_, the \
path in capitals, __ between its parts. kafka.brokers is KULANZ_KAFKA__BROKERS; lists are written \
as YAML, [a, b]. `kulanz config show` tells what counts and where it comes from, `kulanz config \
check` what is wrong.

A secret stands in a file of its own, { file: PATH }, or in a variable, { env: NAME }, never \
here. Paths are below the working directory unless absolute or said otherwise.";

/// The file.
pub fn text() -> String {
    let mut text = String::new();
    prose(&mut text, HEAD, 0, false);
    for key in in_order(&KEYS) {
        text.push('\n');
        write(&mut text, key, 0, false);
    }
    text
}

/// What is needed first.
fn in_order(keys: &[Key]) -> Vec<&Key> {
    let mut keys: Vec<&Key> = keys.iter().collect();
    keys.sort_by_key(|key| !key.needed);
    keys
}

/// Writes a key with its remarks; `out`: with a `#` before it.
fn write(text: &mut String, key: &Key, depth: usize, out: bool) {
    let name = key.last();
    match &key.kind {
        Kind::Section(inner) => {
            let out = out || key.default.is_none();
            prose(text, &key.about, depth, out);
            line(text, &format!("{name}:"), "", depth, out);
            in_order(inner).into_iter().for_each(|key| write(text, key, depth + 1, out));
        }
        Kind::Items(inner) => {
            prose(text, &key.about, depth, out);
            line(text, &format!("{name}:"), "", depth, true);
            for (at, key) in in_order(inner).into_iter().enumerate() {
                if at == 0 {
                    line(text, "-", "", depth + 1, true);
                }
                write(text, key, depth + 2, true);
            }
        }
        kind => {
            prose(text, &key.about, depth, out);
            if let Kind::Choice(choices) = kind {
                for (word, about) in choices {
                    prose(text, &format!("- {word}: {about}"), depth, out);
                }
            }
            let value = key.default.as_ref().or(key.example.as_ref());
            let value = value.map_or_else(|| "~".to_owned(), written);
            let (out, what) = match (&key.default, key.needed) {
                (Some(_), _) => (out, if out { "the default" } else { "" }),
                (None, true) => (out, "needed"),
                (None, false) => (true, if depth > 0 { "an example" } else { "" }),
            };
            line(text, &format!("{name}: {value}"), what, depth, out);
        }
    }
}

/// A value on one line.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{key}: {}", written(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        // JSON is YAML.
        other => other.to_string(),
    }
}

/// Whether a text needs no quotes.
fn is_plain(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "./_-:@".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(allowed)
        && !text.ends_with(':')
        && !matches!(text, "true" | "false" | "null" | "yes" | "no" | "on" | "off")
}

fn line(text: &mut String, setting: &str, what: &str, depth: usize, out: bool) {
    let before = if out { "#" } else { "" };
    let space = "  ".repeat(depth);
    let what = if what.is_empty() { String::new() } else { format!("  # {what}") };
    // Writing to a text does not fail.
    let _ = writeln!(text, "{before}{space}{setting}{what}");
}

/// Sentences as remarks, broken into lines.
fn prose(text: &mut String, sentences: &str, depth: usize, out: bool) {
    let before = format!("{}{}# ", if out { "#" } else { "" }, "  ".repeat(depth));
    // A `#` alone would be taken for a setting left out.
    let before = if out && depth == 0 { "# ".to_owned() } else { before };
    for paragraph in sentences.split('\n') {
        let mut row = before.clone();
        for word in paragraph.split_whitespace() {
            if row.len() + word.chars().count() > WIDTH && row.len() > before.len() {
                text.push_str(row.trim_end());
                text.push('\n');
                row.clone_from(&before);
            }
            row.push_str(word);
            row.push(' ');
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{fs, path::Path, path::PathBuf};

    use super::*;
    use crate::settings::{Given, Settings};

    fn read(text: &str) -> Given {
        Given::of(text, Path::new("default.yaml"), []).unwrap_or_else(|e| panic!("{e:#}\n{text}"))
    }

    /// The same with all that is left out: `#key`, `#  key`, but not `# Words`.
    fn all_in(text: &str) -> String {
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') || rest.starts_with("  ") => rest,
            _ => line,
        });
        lines.map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn the_default_file_is_taken_and_says_what_counts_without_it() {
        let given = read(&text());
        let default = serde_json::to_value(Settings::default()).unwrap();
        assert_eq!(serde_json::to_value(&given.settings).unwrap(), default);
        assert!(given.origin("telemetry.service").is_some());
    }

    #[test]
    fn every_setting_stands_in_the_default_file() {
        fn look(given: &Given, keys: &[Key], path: &[String]) -> usize {
            let seen = keys.iter().map(|key| {
                let path = [path, &[key.last().to_owned()]].concat();
                assert!(given.written.get(path.iter().map(String::as_str)).is_some(), "{path:?}");
                1 + match &key.kind {
                    Kind::Section(inner) => look(given, inner, &path),
                    Kind::Items(inner) => look(given, inner, &[path, vec!["0".into()]].concat()),
                    _ => 0,
                }
            });
            seen.sum()
        }
        // Password and token exclude each other; what is left of either is still there.
        let text = all_in(&text());
        let without: String = text
            .split_inclusive('\n')
            .map(|line| line.replace("sasl: scram_sha_512", "sasl: oauthbearer"))
            .collect();
        let node = Given {
            settings: Settings::default(),
            written: crate::settings::Node::parse(
                &without,
                &crate::settings::Origin::File { path: Path::new("all.yaml").into(), line: 1 },
            )
            .unwrap(),
        };
        assert!(look(&node, &KEYS, &[]) > 45);
        let settings: Settings = crate::settings::reader::read(&node.written).unwrap();
        assert!(settings.smtp.is_some() && settings.sms.is_some() && settings.prices.is_some());
        assert!(settings.kafka.unwrap().security.unwrap().oauth.is_some());
        assert_eq!(settings.webhooks.len(), 1);
    }

    #[test]
    fn the_committed_default_file_is_what_the_settings_give() {
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "..", "..", "deploy", "kulanz.default.yaml"]
                .iter()
                .collect();
        let text = text();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "differs: run `make schemas` and look at it");
    }
}
