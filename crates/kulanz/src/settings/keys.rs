//! All settings that there are, with what is to be known of each: read from the schema of
//! [`Settings`](super::Settings), and so complete by themselves.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::{Settings, environment};

/// A setting, or a section of some.
#[derive(Debug)]
pub struct Key {
    /// From the top.
    pub path: Vec<String>,
    /// What is written there.
    pub kind: Kind,
    /// What it is, in sentences.
    pub about: String,
    /// What counts where it is left out, and the section is not.
    pub default: Option<Value>,
    /// What could stand there.
    pub example: Option<Value>,
    /// Its section cannot do without it.
    pub needed: bool,
}

/// What is written under a key.
#[derive(Debug)]
pub enum Kind {
    /// Further keys.
    Section(Vec<Key>),
    /// A list of sections, with these keys each.
    Items(Vec<Key>),
    /// The place of a secret.
    Secret,
    /// A list of values, or whatever keys and values: in the environment written as YAML.
    Free,
    /// One of these, each with what it means.
    Choice(Vec<(String, String)>),
    /// A value.
    Value,
}

/// The topmost section.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| keys(&schema(), &[]));

/// The schema of `kulanz.yaml`, in one piece.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12();
    let settings = settings.with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Settings>().to_value()
}

fn keys(section: &Value, path: &[String]) -> Vec<Key> {
    let nothing = Map::new();
    let members = section["properties"].as_object().unwrap_or(&nothing);
    members.iter().map(|(name, schema)| Key::of(name, schema, section, path)).collect()
}

impl Key {
    fn of(name: &str, schema: &Value, section: &Value, above: &[String]) -> Self {
        let path = [above, &[name.to_owned()]].concat();
        let inner = without_null(schema);
        let needed = section["required"].as_array();
        let example = |schema: &Value| schema["examples"].as_array()?.first().cloned();
        let default = schema.get("default").filter(|default| !default.is_null()).cloned();
        Self {
            kind: kind(inner, &path),
            about: schema["description"].as_str().unwrap_or_default().replace('\n', " "),
            default,
            example: example(schema).or_else(|| example(inner)),
            needed: needed.is_some_and(|needed| needed.iter().any(|one| one == name)),
            path,
        }
    }

    /// `kafka.brokers`.
    pub fn name(&self) -> String {
        self.path.join(".")
    }

    /// Its own name, without those of its sections.
    pub fn last(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// Names of the variables that set it; none for a section, two for a secret.
    pub fn variables(&self) -> Vec<String> {
        let own = environment::name(self.path.iter().map(String::as_str));
        match &self.kind {
            Kind::Section(_) => Vec::new(),
            Kind::Secret => vec![format!("{own}__FILE"), format!("{own}__ENV")],
            _ => vec![own],
        }
    }
}

/// All keys but sections, and without those of items.
pub fn flat(keys: &'static [Key]) -> Vec<&'static Key> {
    keys.iter()
        .flat_map(|key| match &key.kind {
            Kind::Section(inner) => flat(inner),
            _ => vec![key],
        })
        .collect()
}

/// Of something that may be left out: what it is if not.
fn without_null(schema: &Value) -> &Value {
    let of_two = schema["anyOf"].as_array();
    let not_null = of_two.and_then(|two| two.iter().find(|one| one["type"] != "null"));
    not_null.unwrap_or(schema)
}

fn is_type(schema: &Value, wanted: &str) -> bool {
    match &schema["type"] {
        Value::Array(several) => several.iter().any(|one| one == wanted),
        one => one == wanted,
    }
}

fn kind(schema: &Value, path: &[String]) -> Kind {
    if let Some(choices) = schema["oneOf"].as_array() {
        let named: Vec<_> = choices
            .iter()
            .filter_map(|one| {
                let about = one["description"].as_str().unwrap_or_default().replace('\n', " ");
                Some((one["const"].as_str()?.to_owned(), about))
            })
            .collect();
        return match named.is_empty() {
            true => Kind::Secret,
            false => Kind::Choice(named),
        };
    }
    if schema.get("properties").is_some() {
        return Kind::Section(keys(schema, path));
    }
    let items = &schema["items"];
    if items.get("properties").is_some() {
        return Kind::Items(keys(items, path));
    }
    match is_type(schema, "array") || schema.get("type").is_none() {
        true => Kind::Free,
        false => Kind::Value,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{collections::BTreeSet, fs, path::PathBuf};

    use super::*;

    fn every(keys: &'static [Key]) -> Vec<&'static Key> {
        keys.iter()
            .flat_map(|key| {
                let inner: &[Key] = match &key.kind {
                    Kind::Section(inner) | Kind::Items(inner) => inner,
                    _ => &[],
                };
                [vec![key], every(inner)].concat()
            })
            .collect()
    }

    #[test]
    fn every_setting_is_described_and_shows_what_could_stand_there() {
        let all = every(&KEYS);
        assert!(all.len() > 45, "{}", all.len());
        for key in all {
            assert!(key.about.ends_with('.'), "{}: {:?}", key.name(), key.about);
            let shown = key.default.is_some() || key.example.is_some();
            let inner = matches!(key.kind, Kind::Section(_) | Kind::Items(_));
            assert!(shown || inner, "{} has neither default nor example", key.name());
        }
    }

    #[test]
    fn each_variable_sets_one_setting() {
        let all: Vec<_> = flat(&KEYS).into_iter().flat_map(Key::variables).collect();
        assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len());
        assert!(every(&KEYS).iter().all(|key| !key.name().contains("__")));
        for name in ["KULANZ_DATABASE", "KULANZ_KAFKA__BROKERS", "KULANZ_SMTP__PASSWORD__FILE"] {
            assert!(all.iter().any(|one| one == name), "{name}");
        }
    }

    #[test]
    fn secrets_are_all_named_by_their_place() {
        let is_secret = |key: &&&Key| matches!(key.kind, Kind::Secret);
        let all = every(&KEYS);
        let names: Vec<_> = all.iter().filter(is_secret).map(|key| key.name()).collect();
        let known = [
            "database_password",
            "kafka.security.oauth.secret",
            "kafka.security.password",
            "sms.auth",
            "smtp.password",
        ];
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(sorted, known);
        // Whatever is called so is one, or the path of one.
        for key in every(&KEYS) {
            let called = ["password", "secret", "token"].iter().any(|word| key.last() == *word);
            assert!(!called || matches!(key.kind, Kind::Secret), "{}", key.name());
        }
    }

    #[test]
    fn the_committed_schema_is_what_the_settings_give() {
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "..", "..", "schemas", "settings.schema.json"]
                .iter()
                .collect();
        let mut schema = schema();
        schema["$id"] = "urn:kulanz:schema:settings".into();
        schema["title"] = "Settings of Kulanz: kulanz.yaml".into();
        let text = format!("{schema:#}\n");
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "differs: run `make schemas` and look at it");
    }
}
